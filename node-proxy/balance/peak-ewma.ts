/**
 * Peak-EWMA of a latency: rises at once to a new peak, decays exponentially towards better samples.
 * Source: Finagle's PeakEwma balancer; decay 10 s is Linkerd's default (`loadBalancer.decayTimeMs`).
 */

export const DECAY_MS = 10_000;

export class PeakEwma {
  /** Milliseconds; 0 until the first sample, so that a new endpoint is tried soon. */
  #cost = 0;
  #measured = false;
  #stampMs: number;
  /** Time constant of the decay; may change while in use. */
  decayMs: number;

  constructor(nowMs: number, decayMs: number = DECAY_MS) {
    this.#stampMs = nowMs;
    this.decayMs = decayMs;
  }

  /** Was there a sample at all? */
  get measured(): boolean {
    return this.#measured;
  }

  /** @param sampleMs a measured latency; @param nowMs monotonic. */
  observe(sampleMs: number, nowMs: number): void {
    const elapsed = Math.max(nowMs - this.#stampMs, 0);
    this.#stampMs = nowMs;
    this.#measured = true;
    if (sampleMs > this.#cost) {
      this.#cost = sampleMs;
      return;
    }
    const keep = Math.exp(-elapsed / this.decayMs);
    this.#cost = this.#cost * keep + sampleMs * (1 - keep);
  }

  /**
   * A latency that is no good news: it may raise the cost and holds it, but never lowers it. So an endpoint that
   * fails fast does not look fast.
   */
  observeFailure(sampleMs: number, nowMs: number): void {
    if (!this.#measured) return;
    this.#stampMs = nowMs;
    if (sampleMs > this.#cost) this.#cost = sampleMs;
  }

  /** The current cost in milliseconds, decayed towards 0 while nothing was observed. */
  at(nowMs: number): number {
    const elapsed = nowMs - this.#stampMs;
    return elapsed <= 0 ? this.#cost : this.#cost * Math.exp(-elapsed / this.decayMs);
  }
}
