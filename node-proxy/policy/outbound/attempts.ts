/**
 * The attempts of one request: an endpoint is picked and told that one begins, and what became of it exactly once. Used
 * again for every request of its plan.
 */

import type { LoadedEndpoint, RequestOutcome, ServiceClient } from '../../balance/index.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { OutboundClient } from './client.ts';
import type { PodUpstream } from './upstream/pod-upstream.ts';

export class Attempts {
  count = 0;
  /** Where the last one went. */
  upstream: PodUpstream | undefined;
  /** The endpoint has not been told yet what became of it. */
  underWay = false;
  readonly #client: OutboundClient;
  readonly #tried: LoadedEndpoint[] = [];
  #service: ServiceClient | undefined;
  #epoch = 0;
  #sinceMs = 0;

  constructor(client: OutboundClient) {
    this.#client = client;
  }

  /** Another request's. Invariant: none is under way. */
  reset(): void {
    this.count = 0;
    this.upstream = this.#service = undefined;
    this.#tried.length = 0;
  }

  /** @param hash what keeps the client with its endpoint, as uint32; -1: nothing. */
  next(service: ServiceClient, hash: number, nowMs: number): PodUpstream | HttpRefusal {
    const { random, upstreams, service: asked } = this.#client;
    const loaded = service.pick(this.#tried, hash, nowMs, random);
    if (loaded === undefined) return noneOf(service);
    if (!service.admit()) {
      asked.counters.shed += 1;
      return new HttpRefusal('overloaded', `${service.requests} requests to ${service.id} are under way`);
    }
    // What is answered here pays for no retries.
    if (this.count === 0) asked.budget.deposit();
    this.#service = service;
    this.#epoch = loaded.begin(nowMs);
    this.underWay = true;
    this.#sinceMs = nowMs;
    this.count += 1;
    this.#tried.push(loaded);
    const upstream = upstreams.of(loaded, service);
    this.upstream = upstream;
    return upstream;
  }

  /** How long the last one has taken. */
  tookMs(nowMs: number): number {
    return nowMs - this.#sinceMs;
  }

  over(outcome: RequestOutcome, tookMs: number, nowMs: number): void {
    if (!this.underWay) return;
    this.underWay = false;
    this.#service?.leave();
    this.#tried[this.#tried.length - 1]?.end(outcome, tookMs, nowMs, this.#epoch);
  }
}

function noneOf({ id, endpoints }: ServiceClient): HttpRefusal {
  return endpoints.length === 0
    ? new HttpRefusal('no_endpoints', `${id} has no replicas`)
    : new HttpRefusal('ejected', `all ${endpoints.length} endpoints of ${id} are ejected`);
}
