/**
 * A bound service (one leaf id) as this worker's requests use it: its replicas with what was learnt about them,
 * the balancer, the breaker and the limits. Replicas and settings change in place, learning stays.
 *
 * A pick prefers, in this order: an endpoint that serves and was not tried; one that is terminating and was not
 * tried (it still answers); one that was tried (a service may have a single endpoint, and it may do better the
 * second time). Never an ejected one whose back-off is not over: when nothing else is left, the request is shed.
 */

import type { ClientSettings, Replica } from '#api';
import type { Balancer } from '../choice/balancer.ts';
import { HashRing } from '../choice/hash-ring.ts';
import { RoundRobin } from '../choice/round-robin.ts';
import { TwoChoices } from '../choice/two-choices.ts';
import type { EndpointTable } from '../endpoint.ts';
import { Ejections } from './ejections.ts';
import { LoadedEndpoint } from './loaded-endpoint.ts';

/** Serves, and was not tried. */
const BEST_RANK = 4;

/** What a service client is given by its worker. */
export interface ClientContext {
  endpoints: EndpointTable;
  /** Monotonic milliseconds. */
  now(): number;
  /** 0 ≤ random() < 1 */
  random(): number;
  /** An endpoint is no longer the service's; requests may still be under way there. */
  dropped(endpoint: LoadedEndpoint): void;
}

export class ServiceClient {
  readonly id: string;
  settings: ClientSettings;
  /** A new array with every change of the replicas; its elements stay. */
  endpoints: readonly LoadedEndpoint[] = [];
  /** Attempts under way; counted by {@link admit} and {@link leave}. */
  requests = 0;
  /** Requests that wait for a connection; counted by {@link wait} and {@link waited}. */
  pending = 0;
  /** Connections to its endpoints, being made or open; counted by {@link connect} and {@link disconnected}. */
  connections = 0;
  readonly #ejections = new Ejections();
  readonly #context: ClientContext;
  #balancer: Balancer;

  constructor(id: string, settings: ClientSettings, context: ClientContext) {
    this.id = id;
    this.settings = settings;
    this.#context = context;
    this.#balancer = balancerOf(settings, [], context);
  }

  /**
   * Chooses an endpoint for an attempt; `begin` of the endpoint must follow in the same turn. Allocates nothing.
   * @param tried endpoints of earlier attempts of this request.
   * @param hash what ring hash keeps together, as uint32; -1: nothing.
   * @returns undefined when every endpoint is ejected, or there is none at all.
   */
  pick(
    tried: readonly LoadedEndpoint[],
    hash: number,
    nowMs: number,
    random: () => number,
  ): LoadedEndpoint | undefined {
    return this.#balancer.pick(tried, hash, nowMs, random) ?? this.#search(tried, hash, nowMs, random);
  }

  /** A place for an attempt. @returns false at the limit. */
  admit(): boolean {
    const limit = this.settings.limits.requests;
    if (limit > 0 && this.requests >= limit) return false;
    this.requests += 1;
    return true;
  }

  leave(): void {
    this.requests -= 1;
  }

  /** A place among the requests that wait for a connection. @returns false at the limit. */
  wait(): boolean {
    const limit = this.settings.limits.pending;
    if (limit > 0 && this.pending >= limit) return false;
    this.pending += 1;
    return true;
  }

  waited(): void {
    this.pending -= 1;
  }

  /** A place for another connection. @returns false at the limit: then wait for one that exists. */
  connect(): boolean {
    const limit = this.settings.limits.connections;
    if (limit > 0 && this.connections >= limit) return false;
    this.connections += 1;
    return true;
  }

  disconnected(): void {
    this.connections -= 1;
  }

  /** Endpoints that take no requests but a probe. */
  get ejected(): number {
    return this.#ejections.now;
  }

  /** Ejections since the start; a failed probe is not another one. */
  get ejections(): number {
    return this.#ejections.total;
  }

  /** A new snapshot of replicas or settings. What is equal to what it was changes nothing. */
  update(replicas: readonly Replica[], settings: ClientSettings): void {
    const configured = sameSettings(settings, this.settings);
    this.settings = settings;
    if (!configured) for (const endpoint of this.endpoints) endpoint.configure(settings);
    const moved = this.#replace(replicas);
    if (configured && !moved) return;
    this.#ejections.resize(this.endpoints.length, settings.breaker.maxEjected);
    // The share that may be ejected has shrunk: whoever is out may show at once whether it is well again.
    if (this.#ejections.now > this.#ejections.limit) {
      const nowMs = this.#context.now();
      for (const { accrual } of this.endpoints) accrual.hasten(nowMs);
    }
    this.#balancer = balancerOf(settings, this.endpoints, this.#context);
  }

  /** Gives every endpoint back. */
  close(): void {
    for (const endpoint of this.endpoints) this.#drop(endpoint);
    this.endpoints = [];
    this.#balancer = balancerOf(this.settings, [], this.#context);
  }

  /** @returns whether endpoints came, went, changed their order or their weight. */
  #replace(replicas: readonly Replica[]): boolean {
    const table = this.#context.endpoints;
    const before = new Map(this.endpoints.map(loaded => [loaded.endpoint, loaded]));
    const after = new Set<LoadedEndpoint>();
    let moved = false;
    for (const replica of replicas) {
      const endpoint = table.acquire(replica);
      if (endpoint === undefined) continue;
      const known = before.get(endpoint);
      if (known === undefined) {
        const added = this.#load(endpoint);
        before.set(endpoint, added);
        after.add(added);
        moved = true;
        continue;
      }
      // It is held already: one use per service.
      table.release(endpoint);
      if (after.has(known)) continue;
      const { weight } = known;
      known.refresh();
      if (weight !== known.weight || this.endpoints[after.size] !== known) moved = true;
      after.add(known);
    }
    for (const loaded of this.endpoints) {
      if (after.has(loaded)) continue;
      this.#drop(loaded);
      moved = true;
    }
    if (moved) this.endpoints = [...after];
    return moved;
  }

  #load(endpoint: LoadedEndpoint['endpoint']): LoadedEndpoint {
    const { now, random } = this.#context;
    return new LoadedEndpoint(endpoint, this.#ejections, this.settings, now(), random);
  }

  #drop(loaded: LoadedEndpoint): void {
    loaded.leave();
    this.#context.endpoints.release(loaded.endpoint);
    this.#context.dropped(loaded);
  }

  /** The balancer came upon nothing good: the best of all, from a place on that is random or the hash's. */
  #search(
    tried: readonly LoadedEndpoint[],
    hash: number,
    nowMs: number,
    random: () => number,
  ): LoadedEndpoint | undefined {
    const all = this.endpoints;
    let at = hash < 0 ? Math.floor(random() * all.length) : hash % all.length;
    let best: LoadedEndpoint | undefined;
    let bestRank = 0;
    for (let i = 0; i < all.length; i++, at = at + 1 === all.length ? 0 : at + 1) {
      const candidate = all[at] as LoadedEndpoint;
      if (!candidate.accrual.available(nowMs)) continue;
      const rank = (tried.includes(candidate) ? 1 : 3) + (candidate.terminating ? 0 : 1);
      if (rank <= bestRank) continue;
      best = candidate;
      bestRank = rank;
      if (rank === BEST_RANK) break;
    }
    return best;
  }
}

function balancerOf(
  { balancer: { kind } }: ClientSettings,
  endpoints: readonly LoadedEndpoint[],
  { random }: ClientContext,
): Balancer {
  switch (kind) {
    case 'peakEwma':
    case 'leastRequest':
      return new TwoChoices(endpoints, kind, random);
    case 'roundRobin':
      return new RoundRobin(endpoints, random);
    case 'ringHash':
      return new HashRing(endpoints);
  }
}

function sameSettings(a: ClientSettings, b: ClientSettings): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
