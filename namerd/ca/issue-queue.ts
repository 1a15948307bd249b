/**
 * Issues certificates one per turn of the event loop: thousands that are asked for at once, as after a restart
 * of namerd, must not hold up the watches. Bounded: beyond the limit callers are told to come again.
 */

import { CaRefusal } from './errors.ts';

export class IssueQueue {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** @throws CaRefusal NM_CA_BUSY, or what `act` throws */
  run<T>(act: () => T): Promise<T> {
    if (this.length >= this.#limit)
      return Promise.reject(
        new CaRefusal('NM_CA_BUSY', `${this.#limit} certificates are being issued already`),
      );
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
      });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => {
      this.#running = false;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
