/**
 * A value that changes and can be observed. Slow paths publish immutable snapshots into a Cell;
 * fast paths read `current`, which is a plain field.
 */

export type Dispose = () => void;

export interface Watchable<T> {
  /** The newest value. */
  readonly current: T;
  /** Calls `listener` at once with the current value and then after every change, until disposed. */
  observe(listener: (value: T) => void): Dispose;
}

export class Cell<T> implements Watchable<T> {
  current: T;
  readonly #listeners = new Set<(value: T) => void>();
  readonly #same: (a: T, b: T) => boolean;

  /** @param same values that are the same are not announced again (default `Object.is`). */
  constructor(initial: T, same: (a: T, b: T) => boolean = Object.is) {
    this.current = initial;
    this.#same = same;
  }

  get observers(): number {
    return this.#listeners.size;
  }

  set(value: T): void {
    if (this.#same(this.current, value)) return;
    this.current = value;
    for (const listener of [...this.#listeners]) {
      // A listener may dispose another one, or set again: then the newer round has told everyone.
      if (this.#listeners.has(listener) && this.current === value) listener(value);
    }
  }

  observe(listener: (value: T) => void): Dispose {
    // Wrapped, so that the same function observed twice is two observations.
    const own = (value: T) => listener(value);
    this.#listeners.add(own);
    own(this.current);
    return () => {
      this.#listeners.delete(own);
    };
  }
}

/** Resolves with the first value that `wanted` accepts, or rejects when the signal aborts. */
export function firstWhere<T>(
  source: Watchable<T>,
  wanted: (value: T) => boolean,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let dispose: Dispose | undefined;
    let done = false;
    const finish = (act: () => void) => {
      if (done) return;
      done = true;
      dispose?.();
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort);
    dispose = source.observe(value => {
      if (wanted(value)) finish(() => resolve(value));
    });
    if (done) dispose();
  });
}
