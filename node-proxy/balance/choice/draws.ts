/**
 * Random whole numbers for the hot path. A fraction that a function hands over is a new object on the heap
 * (V8 boxes it); a small whole number is not. So the state is 32 bits, and only indexes leave.
 * A Weyl sequence through the finalizer of MurmurHash3 (the construction of SplitMix): for choices, not secrets.
 */

import { mix32 } from './hash-text.ts';

export class Draws {
  #state: number;

  /** @param random seeds the sequence: 0 ≤ random() < 1 */
  constructor(random: () => number) {
    this.#state = (random() * 4_294_967_296) | 0;
  }

  /** 0 ≤ below(n) < n, each with the same chance (to n / 2³²). @param n 1 to 2³¹ */
  below(n: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return Math.floor((mix32(this.#state) / 4_294_967_296) * n);
  }

  /**
   * An index with the chance of its weight.
   * @param sums cumulative weights; the last is the total and more than 0.
   */
  weighted(sums: Float64Array): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let high = sums.length - 1;
    const target = (mix32(this.#state) / 4_294_967_296) * (sums[high] as number);
    let low = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
