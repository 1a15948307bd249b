/**
 * The main thread's side of resolution, for one kind of key: watches at namerd what any worker asked for, hands
 * every state to the workers that want it, and remembers the last good one for a start without namerd.
 */

import { LRUCache } from 'lru-cache';
import type { Clock, Timer } from '#base/clock.ts';
import type { Dispose } from '#base/watch.ts';

export interface BindingsOptions<State> {
  /** Watches at namerd. `undefined` = the key does not exist (any more). */
  watch: (key: string, onState: (state: State | undefined) => void) => Dispose;
  /** What a key that does not exist means. */
  absent: State;
  send: (worker: string, key: string, state: State) => void;
  /** Whether a state may be used later without namerd's word; what may not is not remembered. */
  keeps: (key: string, state: State) => boolean;
  /** States of an earlier run, used until namerd says something newer. */
  stored: Iterable<readonly [string, State]>;
  /** Whether namerd can answer now: then its word is waited for. */
  connected: () => boolean;
  clock: Clock;
  /** Told when {@link Bindings.snapshot} would differ. */
  onChange: () => void;
}

interface Interest<State> {
  workers: Set<string>;
  state: State | undefined;
  dispose: Dispose;
  /** Runs while a stored state waits for a live one. */
  timer: Timer | undefined;
}

/** States kept for the disk; those of an earlier run that nobody asks for again go first. */
const MAX_REMEMBERED = 20_000;

/** How long namerd, when connected, may take before a stored state is used. */
const LIVE_WITHIN_MS = 500;

export class Bindings<State extends object> {
  readonly #options: BindingsOptions<State>;
  readonly #interests = new Map<string, Interest<State>>();
  readonly #lastGood: LRUCache<string, State>;

  constructor(options: BindingsOptions<State>) {
    this.#options = options;
    this.#lastGood = new LRUCache({ max: MAX_REMEMBERED });
    for (const [key, state] of options.stored) this.#remember(key, state);
  }

  get size(): number {
    return this.#interests.size;
  }

  watch(worker: string, key: string): void {
    const known = this.#interests.get(key);
    if (known !== undefined) {
      known.workers.add(worker);
      if (known.state !== undefined) this.#options.send(worker, key, known.state);
      return;
    }
    const interest: Interest<State> = {
      workers: new Set([worker]),
      state: undefined,
      dispose: () => {},
      timer: undefined,
    };
    this.#interests.set(key, interest);
    this.#useStored(key, interest);
    const { watch, absent } = this.#options;
    interest.dispose = watch(key, state => this.#changed(key, state ?? absent));
  }

  unwatch(worker: string, key: string): void {
    const interest = this.#interests.get(key);
    if (interest === undefined) return;
    interest.workers.delete(worker);
    if (interest.workers.size > 0) return;
    interest.dispose();
    interest.timer?.cancel();
    this.#interests.delete(key);
    this.#lastGood.delete(key);
    this.#options.onChange();
  }

  /**
   * A worker died: it watches nothing any more. What only it watched is kept for its successor, until the next
   * such death shows that the successor did not ask.
   */
  reset(worker: string): void {
    for (const [key, { workers }] of this.#interests) if (workers.size === 0) this.unwatch(worker, key);
    for (const { workers } of this.#interests.values()) workers.delete(worker);
  }

  /** All states that may be used again, for the disk. */
  snapshot(): [string, State][] {
    return [...this.#lastGood.entries()];
  }

  #useStored(key: string, interest: Interest<State>): void {
    const state = this.#lastGood.get(key);
    if (state === undefined) return;
    const { connected, clock } = this.#options;
    const use = () => {
      if (interest.state === undefined) this.#tell(key, interest, state);
    };
    if (connected()) interest.timer = clock.after(LIVE_WITHIN_MS, use);
    else use();
  }

  #tell(key: string, interest: Interest<State>, state: State): void {
    interest.state = state;
    for (const worker of interest.workers) this.#options.send(worker, key, state);
  }

  #changed(key: string, state: State): void {
    const interest = this.#interests.get(key);
    if (interest === undefined) return;
    interest.timer?.cancel();
    this.#remember(key, state);
    this.#tell(key, interest, state);
    this.#options.onChange();
  }

  #remember(key: string, state: State): void {
    if (this.#options.keeps(key, state)) this.#lastGood.set(key, state);
    else this.#lastGood.delete(key);
  }
}
