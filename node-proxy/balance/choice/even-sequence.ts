/**
 * Numbers in [0, 1) that fill the interval evenly at every length, so that 1 % of 10,000 is 100 and not 100 ± 30.
 *
 * A Kronecker sequence (start + n·step modulo 1) has by far the least discrepancy of what costs an addition, but
 * it is a pattern, and patterns meet patterns:
 * - Traffic with a period: of eight clients in rotation each would see a slow sweep through the interval, and
 *   stay on one version for many requests. So every block of 32 numbers is handed out in random order: whichever
 *   place in a block a request has, it gets any of the block's numbers with equal chance.
 * - Two choices in one request (route, then name) need a sequence each, and with the same step their numbers would
 *   differ by a constant: 10 % of 10 % could be 0 % or 10 %. So every sequence has a step of its own, a random
 *   number whose continued fraction has only ones and twos. That keeps the discrepancy nearly as low as the golden
 *   ratio's (Kuipers and Niederreiter, Uniform Distribution of Sequences, 2.3), and two of them share no pattern.
 * The block is the price: at any moment up to half of its numbers are out of turn, so 50 % of 10,000 is 5,000 ± 5.
 */

import { Draws } from './draws.ts';

const BLOCK = 32;

export class EvenSequence {
  readonly #draws: Draws;
  readonly #step: number;
  readonly #block = new Float64Array(BLOCK);
  #at: number;
  #left = 0;

  /** @param random 0 ≤ random() < 1 */
  constructor(random: () => number = Math.random) {
    this.#draws = new Draws(random);
    this.#at = random();
    this.#step = evenStep(random);
  }

  next(): number {
    if (this.#left === 0) this.#fill();
    const block = this.#block;
    const taken = this.#draws.below(this.#left);
    const value = block[taken] as number;
    this.#left -= 1;
    block[taken] = block[this.#left] as number;
    return value;
  }

  #fill(): void {
    let at = this.#at;
    for (let i = 0; i < BLOCK; i++) {
      at += this.#step;
      if (at >= 1) at -= 1;
      this.#block[i] = at;
    }
    this.#at = at;
    this.#left = BLOCK;
  }
}

/** [0; a, b, c, …] with random ones and twos; 40 of them are more than a float can hold. */
function evenStep(random: () => number): number {
  let value = 0;
  for (let i = 0; i < 40; i++) value = 1 / ((random() < 0.5 ? 1 : 2) + value);
  return value;
}
