/**
 * Why a wire is not read at the moment. Several parts of a connection may want it to wait, each for a reason of its
 * own: it is read again when no reason is left.
 */

import type { Wire } from './wire.ts';

/** The far end of what is being forwarded is slower. */
export const SLOWER = 1;
/** What has come must wait for its turn. */
export const TURN = 2;

export class Brake {
  readonly #wire: Wire;
  #reasons = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  get on(): boolean {
    return this.#reasons !== 0;
  }

  hold(reason: number): void {
    const before = this.#reasons;
    this.#reasons |= reason;
    if (before === 0) this.#wire.pause();
  }

  release(reason: number): void {
    const before = this.#reasons;
    this.#reasons &= ~reason;
    if (before !== 0 && this.#reasons === 0) this.#wire.resume();
  }

  releaseAll(): void {
    this.release(-1);
  }
}
