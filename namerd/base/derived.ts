/**
 * A value computed from other watched values, as a spreadsheet cell is. The computation says what it reads by
 * `use`; it runs again when one of these changes, and reads only what it still needs.
 *
 * Invariants: nothing is subscribed to while nobody observes; what a run no longer uses is let go after the run,
 * so that what it goes on using never loses its last observer in between; `source` is asked for a new watch only
 * for a key that the last run did not use.
 */

import { InvariantError } from './errors.ts';
import { Cell, type Dispose, type Watchable } from './watch.ts';

/** Reads a value now and depends on it. The key identifies the source within this computation. */
export type Use = <T>(key: string, source: () => Watchable<T>) => T;

interface Dependency {
  value: unknown;
  dispose: Dispose;
  run: number;
}

/** A computation that changes its own input more often than this in one go would never end. */
const MAX_ROUNDS = 100;

export class Derived<V> implements Watchable<V> {
  readonly #compute: (use: Use) => V;
  readonly #same: (a: V, b: V) => boolean;
  readonly #dependencies = new Map<string, Dependency>();
  #cell: Cell<V> | undefined;
  #observers = 0;
  #run = 0;
  #computing = false;
  #dirty = false;

  /** @param compute synchronous and without effects. @param same such values are not announced again. */
  constructor(compute: (use: Use) => V, same: (a: V, b: V) => boolean = Object.is) {
    this.#compute = compute;
    this.#same = same;
  }

  /** While nobody observes, computed anew from what its sources say when they are not observed either. */
  get current(): V {
    return this.#cell === undefined ? this.#compute((_, source) => source().current) : this.#cell.current;
  }

  observe(listener: (value: V) => void): Dispose {
    this.#observers += 1;
    let disposed = false;
    let unobserve: Dispose | undefined;
    const dispose = () => {
      if (disposed) return;
      disposed = true;
      unobserve?.();
      this.#observers -= 1;
      if (this.#observers === 0) this.#stop();
    };
    try {
      this.#cell ??= new Cell(this.#evaluate(), this.#same);
      unobserve = this.#cell.observe(listener);
    } catch (error) {
      dispose();
      throw error;
    }
    return dispose;
  }

  #stop(): void {
    this.#cell = undefined;
    const all = [...this.#dependencies.values()];
    this.#dependencies.clear();
    for (const { dispose } of all) dispose();
  }

  #changed(): void {
    this.#dirty = true;
    if (this.#computing || this.#cell === undefined) return;
    this.#cell.set(this.#evaluate());
  }

  #evaluate(): V {
    this.#computing = true;
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        this.#dirty = false;
        this.#run += 1;
        const value = this.#compute(this.#use);
        this.#letGo();
        if (!this.#dirty) return value;
      }
      throw new InvariantError('a derived value keeps changing what it is derived from');
    } finally {
      this.#computing = false;
    }
  }

  readonly #use: Use = <T>(key: string, source: () => Watchable<T>): T => {
    const known = this.#dependencies.get(key);
    if (known !== undefined) {
      known.run = this.#run;
      return known.value as T;
    }
    const added: Dependency = { value: undefined, dispose: () => {}, run: this.#run };
    this.#dependencies.set(key, added);
    let first = true;
    added.dispose = source().observe(value => {
      added.value = value;
      if (!first && this.#dependencies.get(key) === added) this.#changed();
      first = false;
    });
    return added.value as T;
  };

  #letGo(): void {
    for (const [key, { run, dispose }] of this.#dependencies) {
      if (run === this.#run) continue;
      this.#dependencies.delete(key);
      dispose();
    }
  }
}
