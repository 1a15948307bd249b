/** A value that somebody has to work for: the work runs while anybody observes, and stops with the last. */

import { Cell, type Dispose, type Watchable } from '#base/watch.ts';

export class Produced<V> implements Watchable<V> {
  readonly #cell: Cell<V>;
  readonly #start: (set: (value: V) => void) => Dispose;
  #stop: Dispose | undefined;

  /** @param start begins the work and returns how to stop it; what it sets after that is ignored. */
  constructor(
    initial: V,
    start: (set: (value: V) => void) => Dispose,
    same: (a: V, b: V) => boolean = Object.is,
  ) {
    this.#cell = new Cell(initial, same);
    this.#start = start;
  }

  /** The last value, also while nobody works on it. */
  get current(): V {
    return this.#cell.current;
  }

  observe(listener: (value: V) => void): Dispose {
    const dispose = this.#cell.observe(listener);
    if (this.#stop === undefined) {
      let stopped = false;
      const stop = this.#start(value => {
        if (!stopped) this.#cell.set(value);
      });
      this.#stop = () => {
        stopped = true;
        stop();
      };
    }
    return () => {
      dispose();
      if (this.#cell.observers > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }
}
