/**
 * Ejection after consecutive connect failures, with a probe before the return.
 *
 *            failures ≥ 5                    back-off over
 *   healthy ─────────────► ejected(until) ─────────────────► probing (one connection)
 *      ▲                        ▲                               │
 *      └──── success ───────────┴────────── failure ────────────┘   longer back-off
 *
 * Source of the numbers: Linkerd's `io.l5d.consecutiveFailures` (5 failures, equal-jittered 5 s to 300 s).
 */

import { Backoff } from '#base/backoff.ts';

export const FAILURES = 5;
export const EJECT_MIN_MS = 5_000;
export const EJECT_MAX_MS = 300_000;

type State = { is: 'healthy'; failures: number } | { is: 'ejected'; untilMs: number } | { is: 'probing' };

export class FailureAccrual {
  #state: State = { is: 'healthy', failures: 0 };
  readonly #backoff: Backoff;

  constructor(random?: () => number) {
    this.#backoff = new Backoff({
      minMs: EJECT_MIN_MS,
      maxMs: EJECT_MAX_MS,
      ...(random === undefined ? {} : { random }),
    });
  }

  get state(): State['is'] {
    return this.#state.is;
  }

  /** May a new connection be tried here now? Does not change the state. */
  available(nowMs: number): boolean {
    return this.#state.is === 'healthy' || (this.#state.is === 'ejected' && nowMs >= this.#state.untilMs);
  }

  /** To be told when a connection is tried: an ejected endpoint whose back-off is over starts its probe. */
  trying(nowMs: number): void {
    if (this.#state.is === 'ejected' && nowMs >= this.#state.untilMs) this.#state = { is: 'probing' };
  }

  succeeded(): void {
    this.#backoff.reset();
    this.#state = { is: 'healthy', failures: 0 };
  }

  /** @returns true when this failure ejected the endpoint. */
  failed(nowMs: number): boolean {
    if (this.#state.is === 'healthy' && this.#state.failures + 1 < FAILURES) {
      this.#state = { is: 'healthy', failures: this.#state.failures + 1 };
      return false;
    }
    if (this.#state.is === 'ejected') return false;
    this.#state = { is: 'ejected', untilMs: nowMs + this.#backoff.nextMs() };
    return true;
  }

  /** The probe was given up before it showed anything. */
  abandoned(nowMs: number): void {
    if (this.#state.is === 'probing') this.#state = { is: 'ejected', untilMs: nowMs };
  }
}
