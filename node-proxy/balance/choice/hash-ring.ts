/**
 * Consistent hashing on a ring (Karger et al. 1997, with points per endpoint as in libketama): a key belongs to
 * the endpoint of the first point at or after it. Points depend on addresses and weights only, so every node and
 * worker has the same ring, and an endpoint that comes or goes moves only its own share of the keys.
 * Ejected and terminating endpoints stay on the ring and are passed over: their keys go to the next, and return.
 */

import type { LoadedEndpoint } from '../request/loaded-endpoint.ts';
import { type Balancer, usable } from './balancer.ts';
import { hashText, mix32 } from './hash-text.ts';

/** For an endpoint of the least weight; heavier ones have more. Shares are then even within about 9 % (1/√128). */
const POINTS = 128;
/** Bound of memory and of the time that a snapshot takes; with more than 64 endpoints each has fewer points. */
const MAX_POINTS = 8_192;
/** Steps along the ring before the search is left to the caller, who goes through the endpoints. */
const MAX_STEPS = 256;

export class HashRing implements Balancer {
  readonly #endpoints: readonly LoadedEndpoint[];
  /** Sorted. */
  readonly #points: Uint32Array;
  /** Whose point it is: index into endpoints. */
  readonly #owners: Uint32Array;

  constructor(endpoints: readonly LoadedEndpoint[]) {
    this.#endpoints = endpoints;
    const counts = pointCounts(endpoints.map(({ weight }) => weight));
    const marks = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
    let filled = 0;
    counts.forEach((count, owner) => {
      const seed = hashText(endpoints[owner]?.endpoint.replica.address ?? '');
      // Point and owner in one float (32 + at most 21 bits), so that sorting needs no objects.
      for (let nth = 0; nth < count; nth++) {
        const point = mix32((seed + Math.imul(nth + 1, 0x9e3779b1)) | 0);
        marks[filled++] = point * 0x200000 + owner;
      }
    });
    marks.sort();
    this.#points = Uint32Array.from(marks, mark => Math.floor(mark / 0x200000));
    this.#owners = Uint32Array.from(marks, mark => mark % 0x200000);
  }

  get points(): number {
    return this.#points.length;
  }

  pick(
    tried: readonly LoadedEndpoint[],
    hash: number,
    nowMs: number,
    random: () => number,
  ): LoadedEndpoint | undefined {
    const all = this.#endpoints;
    const owners = this.#owners;
    if (owners.length === 0) return undefined;
    const home = this.#find(hash < 0 ? Math.floor(random() * 4_294_967_296) : mix32(hash));
    let last = -1;
    for (let step = 0, at = home; step < MAX_STEPS && step < owners.length; step++) {
      const owner = owners[at] as number;
      at = at + 1 === owners.length ? 0 : at + 1;
      if (owner === last) continue;
      last = owner;
      const endpoint = all[owner] as LoadedEndpoint;
      if (usable(endpoint, tried, nowMs)) return endpoint;
    }
    return undefined;
  }

  /** Index of the first point at or after the key, around the end. */
  #find(key: number): number {
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle] as number) < key) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }
}

/**
 * Points of each endpoint, at least one where it has a weight. The unit is a power of two, so that the least
 * weight can change a little, or go, and the others keep their points.
 */
export function pointCounts(weights: readonly number[]): number[] {
  const least = weights.reduce((min, weight) => (weight > 0 && weight < min ? weight : min), Infinity);
  const unit = 2 ** Math.floor(Math.log2(least));
  const total = weights.reduce((sum, weight) => sum + (weight / unit) * POINTS, 0);
  const scale = total > MAX_POINTS ? MAX_POINTS / total : 1;
  return weights.map(weight => (weight > 0 ? Math.max(Math.round((weight / unit) * POINTS * scale), 1) : 0));
}
