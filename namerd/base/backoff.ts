/** Exponential backoff with equal jitter: each wait is between half and all of min·2^n, at most max. */

export interface BackoffOptions {
  minMs: number;
  maxMs: number;
  /** 0 ≤ random() < 1 */
  random?: () => number;
}

export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor({ minMs, maxMs, random = Math.random }: BackoffOptions) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** The number of waits handed out since the last reset. */
  get attempt(): number {
    return this.#attempt;
  }

  nextMs(): number {
    // 2^30 is beyond any useful ratio max/min and keeps the product finite.
    const full = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return full / 2 + (full / 2) * this.#random();
  }

  reset(): void {
    this.#attempt = 0;
  }
}
