/**
 * Power of two choices: draws two endpoints and takes the less loaded. Load is the number of requests under way
 * (`leastRequest`), or the peak-EWMA of the latency times the requests that would share it (`peakEwma`).
 * Sources: Mitzenmacher 1996; Finagle's P2C and PeakEwma balancers.
 *
 * Weights decide how often an endpoint is drawn, and scale what counts as many requests; equal loads leave the
 * first draw, and with it the weights' shares, as they are. While one of the two has no latency yet, requests
 * under way alone decide: a new endpoint gets its share, not a flood (its latency is not 0) and not a famine.
 */

import type { LoadedEndpoint } from '../request/loaded-endpoint.ts';
import { type Balancer, usable } from './balancer.ts';
import { Draws } from './draws.ts';

/** Milliseconds; makes requests under way count where latency has decayed to nothing. */
const FLOOR_MS = 0.1;

export class TwoChoices implements Balancer {
  readonly #endpoints: readonly LoadedEndpoint[];
  readonly #byLatency: boolean;
  /** Cumulative weights, or undefined when all are equal. */
  readonly #sums: Float64Array | undefined;
  readonly #meanWeight: number;
  readonly #draws: Draws;

  constructor(endpoints: readonly LoadedEndpoint[], kind: 'peakEwma' | 'leastRequest', random: () => number) {
    this.#draws = new Draws(random);
    this.#endpoints = endpoints;
    this.#byLatency = kind === 'peakEwma';
    let total = 0;
    const sums = Float64Array.from(endpoints, ({ weight }) => (total += weight));
    this.#meanWeight = total > 0 ? total / endpoints.length : 1;
    const equal = endpoints.every(({ weight }) => weight === endpoints[0]?.weight);
    this.#sums = equal || total === 0 ? undefined : sums;
  }

  pick(tried: readonly LoadedEndpoint[], _hash: number, nowMs: number): LoadedEndpoint | undefined {
    const all = this.#endpoints;
    if (all.length === 0) return undefined;
    const draws = this.#draws;
    const sums = this.#sums;
    const i = sums === undefined ? draws.below(all.length) : draws.weighted(sums);
    // Two draws by weight may be the same: only so do the weights' shares hold.
    const j = sums === undefined ? another(i, all.length, draws) : draws.weighted(sums);
    const a = all[i] as LoadedEndpoint;
    const b = all[j] as LoadedEndpoint;
    if (!usable(a, tried, nowMs)) return usable(b, tried, nowMs) ? b : undefined;
    if (i === j || !usable(b, tried, nowMs)) return a;
    // A probe that is due would wait long if it had to win.
    if (!a.accrual.healthy) return a;
    if (!b.accrual.healthy) return b;
    return this.#prefersFirst(a, b, nowMs) ? a : b;
  }

  #prefersFirst(a: LoadedEndpoint, b: LoadedEndpoint, nowMs: number): boolean {
    const aPending = this.#sums === undefined ? a.pending : (a.pending * this.#meanWeight) / a.weight;
    const bPending = this.#sums === undefined ? b.pending : (b.pending * this.#meanWeight) / b.weight;
    if (!this.#byLatency || !a.latency.measured || !b.latency.measured) return aPending <= bPending;
    const aCost = (a.latency.at(nowMs) + FLOOR_MS) * (aPending + 1);
    const bCost = (b.latency.at(nowMs) + FLOOR_MS) * (bPending + 1);
    return aCost <= bCost;
  }
}

/** Any index but `i`, unless it is the only one. */
function another(i: number, length: number, draws: Draws): number {
  if (length === 1) return i;
  const j = draws.below(length - 1);
  return j < i ? j : j + 1;
}
