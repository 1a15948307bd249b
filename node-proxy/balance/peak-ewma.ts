/**
 * Peak-EWMA of a latency: rises at once to a new peak, decays exponentially towards better samples.
 * Source: Finagle's PeakEwma balancer; decay 10 s is Linkerd's default (`loadBalancer.decayTimeMs`).
 */

export const DECAY_MS = 10_000;

export class PeakEwma {
  /** Milliseconds; 0 until the first sample, so that a new endpoint is tried soon. */
  #cost = 0;
  #stampMs: number;
  readonly #decayMs: number;

  constructor(nowMs: number, decayMs: number = DECAY_MS) {
    this.#stampMs = nowMs;
    this.#decayMs = decayMs;
  }

  /** @param sampleMs a measured latency; @param nowMs monotonic. */
  observe(sampleMs: number, nowMs: number): void {
    const elapsed = Math.max(nowMs - this.#stampMs, 0);
    this.#stampMs = nowMs;
    if (sampleMs > this.#cost) {
      this.#cost = sampleMs;
      return;
    }
    const keep = Math.exp(-elapsed / this.#decayMs);
    this.#cost = this.#cost * keep + sampleMs * (1 - keep);
  }

  /** The current cost in milliseconds, decayed towards 0 while nothing was observed. */
  at(nowMs: number): number {
    const elapsed = nowMs - this.#stampMs;
    return elapsed <= 0 ? this.#cost : this.#cost * Math.exp(-elapsed / this.#decayMs);
  }
}
