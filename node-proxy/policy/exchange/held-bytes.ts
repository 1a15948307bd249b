/**
 * What requests under way hold of a worker's memory: heads, which stay until the answer. Over the bound a request is
 * refused, so that a crowd of waiting requests does not take the worker, and everybody else's requests, with it.
 */

import { HttpRefusal } from '../reply/index.ts';

export function tooMuchHeld(): HttpRefusal {
  return new HttpRefusal('overloaded', 'requests under way hold all the memory that they may');
}

export class HeldBytes {
  readonly #limit: number;
  #held = 0;

  /** @param limit bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /** @returns false when it would be too much: then nothing is held. */
  hold(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  free(bytes: number): void {
    this.#held -= bytes;
  }
}
