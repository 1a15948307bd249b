/**
 * Weights as shares: which of n ways a request takes, by a number in [0, 1) or by a hash that keeps its way.
 * The cumulative sums are exact for what floats can tell apart; a way of weight 0 is never taken.
 *
 * By hash it is a weighted rendezvous (highest random weight, Thaler and Ravishankar; the logarithm method):
 * every way draws its own number from the hash, and the best `ln(u) / weight` wins. When one weight grows, keys
 * move only to that way; when it shrinks, only away from it. So nobody who is on a canary leaves it while its
 * share goes from 1 % to 50 %, and no more keys move than the shares do.
 */

import { EvenSequence } from './even-sequence.ts';
import { hashText, mix32 } from './hash-text.ts';

export class WeightedShares {
  readonly #weights: Float64Array;
  readonly #sums: Float64Array;
  readonly #seeds: Uint32Array;
  readonly #total: number;
  /** The last way with a weight: what is left to numbers that rounding carried to the end. */
  readonly #last: number;
  readonly #random: () => number;
  #sequence: EvenSequence | undefined;

  /**
   * @param weights relative, 0 or more; what is not a finite positive number counts as 0.
   * @param keys names of the ways: by hash, a way is the same way in another list when its name is the same.
   * Without them a way is its place in the list. A name that comes twice is told apart by its order.
   * @param random for {@link next}: 0 ≤ random() < 1
   */
  constructor(weights: readonly number[], keys: readonly string[] = [], random: () => number = Math.random) {
    this.#random = random;
    this.#weights = Float64Array.from(weights, weight => (weight > 0 && weight < Infinity ? weight : 0));
    let total = 0;
    this.#sums = this.#weights.map(weight => (total += weight));
    this.#total = total;
    this.#last = this.#weights.findLastIndex(weight => weight > 0);
    const seen = new Map<string, number>();
    this.#seeds = Uint32Array.from(weights, (_, i) => {
      const key = keys[i] ?? `#${i}`;
      const nth = seen.get(key) ?? 0;
      seen.set(key, nth + 1);
      return hashText(nth === 0 ? key : `${key} #${nth}`);
    });
  }

  get length(): number {
    return this.#weights.length;
  }

  /** @param u 0 ≤ u < 1. @returns the index of a way, or -1 when no way has a weight. */
  pick(u: number): number {
    const sums = this.#sums;
    const target = u * this.#total;
    for (let i = 0; i < sums.length; i++) if (target < (sums[i] as number)) return i;
    return this.#last;
  }

  /** The next way in an even order of this object's own: over many calls, the exact shares. */
  next(): number {
    if (this.#sums.length === 1) return this.#last;
    this.#sequence ??= new EvenSequence(this.#random);
    return this.pick(this.#sequence.next());
  }

  /** @param hash uint32. @returns as {@link pick}, always the same for the same hash and shares. */
  byHash(hash: number): number {
    const weights = this.#weights;
    if (weights.length === 1) return this.#last;
    const spread = Math.imul(hash, 0x9e3779b1);
    let best = -1;
    let bestScore = -Infinity;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number;
      if (weight === 0) continue;
      const u = (mix32(spread ^ (this.#seeds[i] as number)) + 0.5) / 4_294_967_296;
      const score = Math.log(u) / weight;
      if (score > bestScore) {
        best = i;
        bestScore = score;
      }
    }
    return best;
  }
}
