/**
 * Watches that cost something to keep (a name server asked again and again, a directory watched, a name bound),
 * shared by key: any number of observers share one, and it lingers for a while after the last has left, since
 * the next one often comes soon.
 */

import type { Clock, Timer } from './clock.ts';
import type { Dispose, Watchable } from './watch.ts';

export interface SharedWatchOptions<V> {
  /** Makes the watch for a key; it is observed once and for as long as it is shared. */
  start: (key: string) => Watchable<V>;
  clock: Clock;
  /** How long an unobserved watch stays. */
  lingerMs: number;
  /** The most unobserved watches that stay; the longest unobserved goes first. */
  maxIdle: number;
}

interface Entry<V> {
  readonly source: Watchable<V>;
  readonly release: Dispose;
  observers: number;
  timer: Timer | undefined;
}

export class SharedWatches<V> {
  readonly #options: SharedWatchOptions<V>;
  readonly #entries = new Map<string, Entry<V>>();
  /** Keys without observers, the longest unobserved first. */
  readonly #idle = new Set<string>();

  constructor(options: SharedWatchOptions<V>) {
    this.#options = options;
  }

  /** How many watches are kept, observed or lingering. */
  get size(): number {
    return this.#entries.size;
  }

  /** The keys that somebody observes now. */
  observed(): string[] {
    return [...this.#entries].filter(([, { observers }]) => observers > 0).map(([key]) => key);
  }

  /** Costs nothing until it is observed. */
  get(key: string): Watchable<V> {
    const table = this;
    return {
      get current(): V {
        return (table.#entries.get(key)?.source ?? table.#options.start(key)).current;
      },
      observe: listener => table.#observe(key, listener),
    };
  }

  /** Lets go of everything that nobody observes. */
  close(): void {
    for (const key of [...this.#idle]) this.#evict(key);
  }

  #observe(key: string, listener: (value: V) => void): Dispose {
    const entry = this.#entries.get(key) ?? this.#open(key);
    entry.observers += 1;
    entry.timer?.cancel();
    entry.timer = undefined;
    this.#idle.delete(key);
    const unobserve = entry.source.observe(listener);
    let disposed = false;
    return () => {
      if (disposed) return;
      disposed = true;
      unobserve();
      entry.observers -= 1;
      if (entry.observers === 0) this.#linger(key, entry);
    };
  }

  #open(key: string): Entry<V> {
    const source = this.#options.start(key);
    const entry = { source, release: source.observe(() => {}), observers: 0, timer: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #linger(key: string, entry: Entry<V>): void {
    const { clock, lingerMs, maxIdle } = this.#options;
    this.#idle.add(key);
    entry.timer = clock.after(lingerMs, () => this.#evict(key));
    if (this.#idle.size > maxIdle) {
      const [oldest] = this.#idle;
      if (oldest !== undefined) this.#evict(oldest);
    }
  }

  #evict(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.observers > 0) return;
    this.#entries.delete(key);
    this.#idle.delete(key);
    entry.timer?.cancel();
    entry.release();
  }
}
