/**
 * One observable value per key over an index that holds all of them: a change wakes only those who watch a key
 * that it concerns, and a key that nobody watches costs nothing.
 */

import { Cell, type Watchable } from '#base/watch.ts';

export class KeyedCells<V> {
  readonly #lookUp: (key: string) => V;
  readonly #same: (a: V, b: V) => boolean;
  readonly #cells = new Map<string, Cell<V>>();

  /** @param lookUp looks the newest value up. */
  constructor(lookUp: (key: string) => V, same: (a: V, b: V) => boolean = Object.is) {
    this.#lookUp = lookUp;
    this.#same = same;
  }

  /** How many keys are being watched. */
  get size(): number {
    return this.#cells.size;
  }

  watch(key: string): Watchable<V> {
    const cells = this;
    return {
      get current(): V {
        return cells.#lookUp(key);
      },
      observe: listener => {
        let cell = cells.#cells.get(key);
        if (cell === undefined) {
          cell = new Cell(cells.#lookUp(key), cells.#same);
          cells.#cells.set(key, cell);
        }
        const dispose = cell.observe(listener);
        return () => {
          dispose();
          if (cell.observers === 0 && cells.#cells.get(key) === cell) cells.#cells.delete(key);
        };
      },
    };
  }

  /** Tells those who watch the keys, if their value is another one now. */
  refresh(keys: Iterable<string>): void {
    for (const key of keys) this.#cells.get(key)?.set(this.#lookUp(key));
  }
}
