/**
 * A worker's view of the bindings: addresses that its pods used, kept current by the main thread, which
 * watches them at namerd. Reading a known address is one map look-up.
 *
 *   (absent) ──resolve──► waiting ──bind──► bound ──idle or over the limit──► (absent)
 *                            └── time-out: the waiters get undefined, the watch stays
 */

import { LRUCache } from 'lru-cache';
import type { AddressState } from '#api';
import type { Clock } from '#base/clock.ts';
import type { EndpointTable } from '../balance/index.ts';
import { compileTarget, releaseTarget, type Target } from './target.ts';

export interface ResolverOptions {
  clock: Clock;
  endpoints: EndpointTable;
  /** Asks the main thread to watch an address, or to stop. */
  watch: (address: string) => void;
  unwatch: (address: string) => void;
  timeoutMs: number;
  /** Addresses kept at the most; the least recently used goes first. */
  limit: number;
  idleMs: number;
}

interface Entry {
  target: Target | undefined;
  waiters: ((target: Target | undefined) => void)[];
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #entries: LRUCache<string, Entry>;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#entries = new LRUCache({
      max: options.limit,
      ttl: options.idleMs,
      updateAgeOnGet: true,
      ttlResolution: 0,
      perf: { now: () => options.clock.monotonic() },
      dispose: (entry, address) => this.#dropped(entry, address),
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The target, if it is known already. Hot path. */
  known(address: string): Target | undefined {
    return this.#entries.get(address)?.target;
  }

  /** The target as soon as it is known, or undefined after the time-out. */
  resolve(address: string): Promise<Target | undefined> {
    const { clock, watch, timeoutMs } = this.#options;
    let entry = this.#entries.get(address);
    if (entry?.target !== undefined) return Promise.resolve(entry.target);
    if (entry === undefined) {
      entry = { target: undefined, waiters: [] };
      this.#entries.set(address, entry);
      watch(address);
    }
    const { waiters } = entry;
    return new Promise(resolve => {
      const settle = (target: Target | undefined) => {
        timer.cancel();
        const i = waiters.indexOf(settle);
        if (i >= 0) waiters.splice(i, 1);
        resolve(target);
      };
      const timer = clock.after(timeoutMs, () => settle(undefined));
      waiters.push(settle);
    });
  }

  /** A new state of a watched address. */
  bind(address: string, state: AddressState): void {
    const entry = this.#entries.peek(address);
    if (entry === undefined) return;
    const { endpoints } = this.#options;
    const before = entry.target;
    // Acquire before releasing: endpoints that stay must not lose what was learnt about them.
    entry.target = compileTarget(state, endpoints);
    if (before !== undefined) releaseTarget(before, endpoints);
    for (const settle of [...entry.waiters]) settle(entry.target);
  }

  /** Gives back what nobody used for a while. To be called now and then. */
  sweep(): void {
    this.#entries.purgeStale();
  }

  *entries(): IterableIterator<[string, Target]> {
    for (const [address, { target }] of this.#entries) if (target !== undefined) yield [address, target];
  }

  #dropped(entry: Entry, address: string): void {
    const { endpoints, unwatch } = this.#options;
    if (entry.target !== undefined) releaseTarget(entry.target, endpoints);
    for (const settle of [...entry.waiters]) settle(undefined);
    unwatch(address);
  }
}
