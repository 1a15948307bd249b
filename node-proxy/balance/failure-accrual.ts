/**
 * Ejection after consecutive failures, with a probe before the return.
 *
 *            enough failures                 back-off over
 *   healthy ─────────────────► ejected(until) ─────────────► probing (one attempt)
 *      ▲                          ▲                             │
 *      └──────── success ─────────┴────────── failure ──────────┘   longer back-off
 *
 * Used twice: for connects of L4 connections, and for requests with the settings of the service. Every passage
 * begins a new `epoch`, by which requests that overlap tell whether what they saw is about the state of now.
 * Source of the numbers: Linkerd's `io.l5d.consecutiveFailures` (5 failures, equal-jittered 5 s to 300 s).
 */

import { Backoff } from '#base/backoff.ts';

export const FAILURES = 5;
export const EJECT_MIN_MS = 5_000;
export const EJECT_MAX_MS = 300_000;
/** A probe that says nothing for so long (a stream that stays open) no longer keeps others from probing. */
export const PROBE_PATIENCE_MS = 30_000;

export interface AccrualSettings {
  /** Failures in a row that eject; 0 = never. */
  failures: number;
  minMs: number;
  maxMs: number;
}

const DEFAULTS: AccrualSettings = { failures: FAILURES, minMs: EJECT_MIN_MS, maxMs: EJECT_MAX_MS };

type State =
  | { is: 'healthy'; failures: number }
  | { is: 'ejected'; untilMs: number }
  | { is: 'probing'; sinceMs: number };

export class FailureAccrual {
  #state: State = { is: 'healthy', failures: 0 };
  #failures: number;
  #backoff: Backoff;
  #epoch = 0;
  readonly #random: (() => number) | undefined;

  constructor(random?: () => number, settings: AccrualSettings = DEFAULTS) {
    this.#random = random;
    this.#failures = settings.failures;
    this.#backoff = this.#newBackoff(settings);
  }

  get state(): State['is'] {
    return this.#state.is;
  }

  get healthy(): boolean {
    return this.#state.is === 'healthy';
  }

  /** Changes with the state; equal numbers mean that the state did not change in between. */
  get epoch(): number {
    return this.#epoch;
  }

  /** New settings; a back-off that runs keeps its end, unless nothing ejects any more. */
  configure(settings: AccrualSettings): void {
    this.#failures = settings.failures;
    this.#backoff = this.#newBackoff(settings);
    if (settings.failures === 0) this.succeeded();
  }

  /** May something be tried here now? Does not change the state. */
  available(nowMs: number): boolean {
    const state = this.#state;
    if (state.is === 'healthy') return true;
    return nowMs >= (state.is === 'ejected' ? state.untilMs : state.sinceMs + PROBE_PATIENCE_MS);
  }

  /**
   * To be told when something is tried: an ejected endpoint whose back-off is over starts its probe.
   * @returns the epoch that the attempt belongs to.
   */
  trying(nowMs: number): number {
    const state = this.#state;
    if (state.is !== 'healthy' && this.available(nowMs)) {
      // Several probes of one epoch: whichever shows something first decides.
      if (state.is === 'probing') state.sinceMs = nowMs;
      else this.#enter({ is: 'probing', sinceMs: nowMs });
    }
    return this.#epoch;
  }

  succeeded(): void {
    const state = this.#state;
    if (state.is === 'healthy') {
      state.failures = 0;
      return;
    }
    this.#backoff.reset();
    this.#enter({ is: 'healthy', failures: 0 });
  }

  /**
   * @param mayEject false: only count, since too many others are ejected already.
   * @returns true when this failure ejected the endpoint.
   */
  failed(nowMs: number, mayEject = true): boolean {
    const state = this.#state;
    if (state.is === 'ejected') return false;
    if (state.is === 'healthy') {
      state.failures += 1;
      if (!mayEject || this.#failures === 0 || state.failures < this.#failures) return false;
    }
    this.#enter({ is: 'ejected', untilMs: nowMs + this.#backoff.nextMs() });
    return true;
  }

  /** The probe was given up before it showed anything: the next attempt probes. */
  abandoned(nowMs: number): void {
    if (this.#state.is === 'probing') this.#enter({ is: 'ejected', untilMs: nowMs });
  }

  /** The back-off is over early. */
  hasten(nowMs: number): void {
    if (this.#state.is === 'ejected') this.#state.untilMs = Math.min(this.#state.untilMs, nowMs);
  }

  #enter(state: State): void {
    this.#state = state;
    this.#epoch += 1;
  }

  #newBackoff({ minMs, maxMs }: AccrualSettings): Backoff {
    return new Backoff({ minMs, maxMs, ...(this.#random === undefined ? {} : { random: this.#random }) });
  }
}
