/**
 * Weighted round robin by earliest deadline: each endpoint is due every 1/weight of virtual time, and whoever is
 * due first serves. Smooth like nginx's weighted round robin (a heavy endpoint is never served in a burst), in
 * O(log n). Every worker starts at random phases, so that they don't all begin with the same endpoint.
 */

import type { LoadedEndpoint } from '../request/loaded-endpoint.ts';
import { type Balancer, usable } from './balancer.ts';

export class RoundRobin implements Balancer {
  readonly #endpoints: readonly LoadedEndpoint[];
  /** Indexes of endpoints with a weight, a binary heap by deadline. */
  readonly #heap: Uint32Array;
  readonly #due: Float64Array;
  readonly #period: Float64Array;
  readonly #slowest: number;

  constructor(endpoints: readonly LoadedEndpoint[], random: () => number) {
    this.#endpoints = endpoints;
    this.#period = Float64Array.from(endpoints, ({ weight }) => 1 / weight);
    this.#due = this.#period.map(period => period * random());
    this.#slowest = this.#period.reduce(
      (max, period) => (period < Infinity ? Math.max(max, period) : max),
      0,
    );
    const order = endpoints.map((_, i) => i).filter(i => (this.#period[i] as number) < Infinity);
    order.sort((a, b) => (this.#due[a] as number) - (this.#due[b] as number));
    this.#heap = Uint32Array.from(order);
  }

  /**
   * One that can't be used now loses its turns until the slowest has had one, so that many turns of a heavy
   * endpoint are not gone through one by one, and nobody has a debt to work off on return.
   */
  pick(tried: readonly LoadedEndpoint[], _hash: number, nowMs: number): LoadedEndpoint | undefined {
    // Twice the number: what was only tried for this request keeps its own pace.
    for (let i = this.#heap.length * 2; i > 0; i--) {
      const index = this.#heap[0] as number;
      const endpoint = this.#endpoints[index] as LoadedEndpoint;
      const fits = usable(endpoint, tried, nowMs);
      const keepsPace = fits || tried.includes(endpoint);
      const pause = keepsPace ? (this.#period[index] as number) : this.#slowest;
      this.#due[index] = (this.#due[index] as number) + pause;
      this.#sinkFirst();
      if (fits) return endpoint;
    }
    return undefined;
  }

  #sinkFirst(): void {
    const heap = this.#heap;
    const due = this.#due;
    const moving = heap[0] as number;
    const deadline = due[moving] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (
        right < heap.length &&
        (due[heap[right] as number] as number) < (due[heap[child] as number] as number)
      )
        child = right;
      if ((due[heap[child] as number] as number) >= deadline) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = moving;
  }
}
