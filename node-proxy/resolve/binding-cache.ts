/**
 * A worker's view of the bindings of one kind: keys that its pods used, kept current by the main thread, which
 * watches them at namerd. Reading a known key is one map look-up.
 *
 *   (absent) ──resolve──► waiting ──bind──► bound ──idle or over the limit──► (absent)
 *                            └── time-out: the waiters get undefined, the watch stays
 *
 * `State` is what namerd says, `Value` what the data path uses: compiled once per state, given back when it is
 * replaced or nobody used it for a while.
 */

import { LRUCache } from 'lru-cache';
import type { Clock } from '#base/clock.ts';

export interface BindingCacheOptions<State, Value> {
  clock: Clock;
  /** Asks the main thread to watch a key, or to stop. */
  watch: (key: string) => void;
  unwatch: (key: string) => void;
  compile: (state: State, key: string) => Value;
  /** Called once for every compiled value, after its successor was compiled. */
  release: (value: Value) => void;
  timeoutMs: number;
  /** Keys kept at the most; the least recently used goes first. */
  limit: number;
  idleMs: number;
}

interface Entry<Value> {
  value: Value | undefined;
  waiters: ((value: Value | undefined) => void)[];
}

export class BindingCache<State, Value extends object> {
  readonly #options: BindingCacheOptions<State, Value>;
  readonly #entries: LRUCache<string, Entry<Value>>;

  constructor(options: BindingCacheOptions<State, Value>) {
    this.#options = options;
    this.#entries = new LRUCache({
      max: options.limit,
      ttl: options.idleMs,
      updateAgeOnGet: true,
      ttlResolution: 0,
      perf: { now: () => options.clock.monotonic() },
      dispose: (entry, key) => this.#dropped(entry, key),
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, if it is known already. Hot path. */
  known(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** The value as soon as it is known, or undefined after the time-out. */
  resolve(key: string): Promise<Value | undefined> {
    const { clock, watch, timeoutMs } = this.#options;
    let entry = this.#entries.get(key);
    if (entry?.value !== undefined) return Promise.resolve(entry.value);
    if (entry === undefined) {
      entry = { value: undefined, waiters: [] };
      this.#entries.set(key, entry);
      watch(key);
    }
    const { waiters } = entry;
    return new Promise(resolve => {
      const settle = (value: Value | undefined) => {
        timer.cancel();
        const i = waiters.indexOf(settle);
        if (i >= 0) waiters.splice(i, 1);
        resolve(value);
      };
      const timer = clock.after(timeoutMs, () => settle(undefined));
      waiters.push(settle);
    });
  }

  /** A new state of a watched key. */
  bind(key: string, state: State): void {
    const entry = this.#entries.peek(key);
    if (entry === undefined) return;
    const { compile, release } = this.#options;
    const before = entry.value;
    // Compile before releasing: what both have in common must not be forgotten.
    entry.value = compile(state, key);
    if (before !== undefined) release(before);
    for (const settle of [...entry.waiters]) settle(entry.value);
  }

  /** Gives back what nobody used for a while. To be called now and then. */
  sweep(): void {
    this.#entries.purgeStale();
  }

  *entries(): IterableIterator<[string, Value]> {
    for (const [key, { value }] of this.#entries) if (value !== undefined) yield [key, value];
  }

  #dropped(entry: Entry<Value>, key: string): void {
    const { release, unwatch } = this.#options;
    if (entry.value !== undefined) release(entry.value);
    for (const settle of [...entry.waiters]) settle(undefined);
    unwatch(key);
  }
}
