/**
 * How many retries a service's requests may cause: a share of them, and a few per second for services that are
 * hardly used. Semantics of Finagle's RetryBudget over a leaky token bucket: a request deposits, a retry
 * withdraws, both are forgotten `ttlMs` later; beside them stands a reserve of `minPerSecond` over the ttl. In any
 * window of ttlMs, retries ≤ ratio × requests + minPerSecond × ttlMs / 1000 (to one tenth of the ttl).
 * Time and memory do not depend on the traffic: ten slices of the ttl, in whole millionths of a retry.
 */

const SLICES = 10;
/** One retry. Whole numbers, so that five deposits of 0.2 are one retry and not almost one. */
const RETRY = 1_000_000;

export interface BudgetSettings {
  /** Retries per request, 0 or more. */
  ratio: number;
  minPerSecond: number;
  /** 0: only the reserve of one second counts. */
  ttlMs: number;
}

export class RetryBudget {
  readonly #now: () => number;
  readonly #deposit: number;
  readonly #reserve: number;
  readonly #sliceMs: number;
  readonly #slices = new Float64Array(SLICES);
  #sum = 0;
  /** Number of the current slice since the clock began. */
  #slice: number;

  /** @param now milliseconds, monotonic. */
  constructor({ ratio, minPerSecond, ttlMs }: BudgetSettings, now: () => number) {
    this.#now = now;
    this.#deposit = Math.round(Math.max(ratio, 0) * RETRY);
    const ttl = ttlMs > 0 ? ttlMs : 1_000;
    this.#reserve = Math.round(((Math.max(minPerSecond, 0) * ttl) / 1_000) * RETRY);
    this.#sliceMs = ttl / SLICES;
    this.#slice = Math.floor(now() / this.#sliceMs);
  }

  /** A request came (not an attempt). */
  deposit(): void {
    this.#add(this.#deposit);
  }

  /** Takes one retry. @returns false when there is none: then nothing is taken. */
  withdraw(): boolean {
    this.#forget();
    if (this.#sum + this.#reserve < RETRY) return false;
    this.#add(-RETRY);
    return true;
  }

  /** Retries that could be made now. */
  get balance(): number {
    this.#forget();
    return Math.max(Math.floor((this.#sum + this.#reserve) / RETRY), 0);
  }

  #add(amount: number): void {
    this.#forget();
    const at = this.#slice % SLICES;
    this.#slices[at] = (this.#slices[at] as number) + amount;
    this.#sum += amount;
  }

  #forget(): void {
    const slice = Math.floor(this.#now() / this.#sliceMs);
    // A clock that stood still or went back forgets nothing.
    for (let passed = Math.min(slice - this.#slice, SLICES); passed > 0; passed--) {
      const at = (slice - passed + 1) % SLICES;
      this.#sum -= this.#slices[at] as number;
      this.#slices[at] = 0;
    }
    if (slice > this.#slice) this.#slice = slice;
  }
}
