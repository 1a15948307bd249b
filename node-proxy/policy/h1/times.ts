/** The times of one exchange: how long all of it may take, one attempt, and nothing happening at all. */

import { Deadline } from '../exchange/deadlines.ts';
import type { Host } from '../exchange/host.ts';

export type Lateness = 'timeout_total' | 'timeout_try' | 'timeout_idle';

export class Times {
  /** When something moved last, monotonic milliseconds. */
  lastMs = 0;
  readonly #host: Host;
  readonly #total: Deadline;
  readonly #attempt: Deadline;

  constructor(host: Host, late: (reason: Lateness) => void) {
    this.#host = host;
    this.#total = new Deadline(() => late('timeout_total'));
    this.#attempt = new Deadline(() => late('timeout_try'));
  }

  moved(): void {
    this.lastMs = this.#host.now();
  }

  /** @param ms for the whole request, from its first mention on; 0 = any time. */
  limitTotal(ms: number, nowMs: number): void {
    if (ms > 0 && !this.#total.set) this.#host.deadlines.set(this.#total, ms, nowMs);
  }

  limitAttempt(ms: number, nowMs: number): void {
    if (ms > 0) this.#host.deadlines.set(this.#attempt, ms, nowMs);
  }

  attemptOver(): void {
    this.#attempt.cancel();
  }

  /** Nothing is limited any more but silence. */
  over(): void {
    this.#total.cancel();
    this.#attempt.cancel();
  }

  /** @param idleMs 0 = any time. */
  isIdle(nowMs: number, idleMs: number): boolean {
    return idleMs > 0 && nowMs - this.lastMs >= idleMs;
  }
}
