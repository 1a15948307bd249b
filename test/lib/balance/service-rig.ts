/** One bound service with its table, repeatable randomness and a clock that a test moves. */

import assert from 'node:assert/strict';
import {
  type BalancerKind,
  type BoundTree,
  type ClientSettings,
  DEFAULT_CLIENT_SETTINGS,
  type Replica,
} from '#api';
import {
  ClientTable,
  EndpointTable,
  type LoadedEndpoint,
  type NameClient,
  type ServiceClient,
} from '../../../node-proxy/balance/index.ts';
import { seededRandom } from '../seeded-random.ts';

export function replica(address: string, more: Partial<Replica> = {}): Replica {
  return {
    address,
    workload: `ns/${address}`,
    node: 'n',
    identity: '',
    hbone: false,
    zone: '',
    weight: 1,
    terminating: false,
    ...more,
  };
}

/** `10.0.0.1:80` and on. */
export function replicas(count: number, more: Partial<Replica> = {}): Replica[] {
  return Array.from({ length: count }, (_, i) => replica(`10.0.${(i + 1) >> 8}.${(i + 1) & 255}:80`, more));
}

export interface SettingsChange {
  kind?: BalancerKind;
  breaker?: Partial<ClientSettings['breaker']>;
  limits?: Partial<ClientSettings['limits']>;
}

export function settings({ kind = 'leastRequest', breaker, limits }: SettingsChange = {}): ClientSettings {
  const base = DEFAULT_CLIENT_SETTINGS;
  return {
    balancer: { ...base.balancer, kind },
    breaker: { ...base.breaker, ...breaker },
    limits: { ...base.limits, ...limits },
  };
}

export function leaf(id: string, set: readonly Replica[], client?: ClientSettings): BoundTree {
  return {
    type: 'leaf',
    id,
    residual: '/',
    replicas: { state: 'bound', replicas: set },
    ...(client === undefined ? {} : { client }),
  };
}

export class ServiceRig {
  nowMs = 1_000;
  readonly random: () => number;
  readonly endpoints: EndpointTable;
  readonly table: ClientTable;
  readonly dropped: LoadedEndpoint[] = [];
  readonly client: ServiceClient;
  #name: NameClient;

  constructor(set: readonly Replica[], change: SettingsChange = {}, seed = 1) {
    this.random = seededRandom(seed);
    this.endpoints = new EndpointTable(() => this.nowMs);
    this.table = new ClientTable(this.endpoints, {
      now: () => this.nowMs,
      random: this.random,
      dropped: endpoint => this.dropped.push(endpoint),
    });
    this.#name = this.table.compile({ state: 'bound', tree: leaf('s', set, settings(change)) });
    const branch = this.#name.branches[0];
    assert.ok(branch !== undefined && 'client' in branch);
    this.client = branch.client;
  }

  /** The next snapshot of the same name, as the data path takes it. */
  update(set: readonly Replica[], change: SettingsChange = {}): void {
    const next = this.table.compile({ state: 'bound', tree: leaf('s', set, settings(change)) });
    this.table.release(this.#name);
    this.#name = next;
  }

  close(): void {
    this.table.release(this.#name);
  }

  pick(tried: readonly LoadedEndpoint[] = [], hash = -1): LoadedEndpoint | undefined {
    return this.client.pick(tried, hash, this.nowMs, this.random);
  }

  at(index: number): LoadedEndpoint {
    const endpoint = this.client.endpoints[index];
    assert.ok(endpoint !== undefined, `endpoint ${index}`);
    return endpoint;
  }

  /** One attempt at an endpoint, from begin to end at once. */
  attempt(endpoint: LoadedEndpoint, outcome: 'success' | 'failure' | 'ignored', tookMs = 1): void {
    const epoch = endpoint.begin(this.nowMs);
    endpoint.end(outcome, tookMs, this.nowMs, epoch);
  }

  eject(endpoint: LoadedEndpoint): void {
    for (let i = 0; i < 20 && endpoint.accrual.healthy; i++) this.attempt(endpoint, 'failure');
    assert.equal(endpoint.accrual.state, 'ejected');
  }

  /** How often each address comes in so many picks. */
  counts(picks: number, hash: (i: number) => number = () => -1): Map<string, number> {
    const counts = new Map<string, number>();
    for (let i = 0; i < picks; i++) {
      const address = this.pick([], hash(i))?.endpoint.replica.address ?? 'shed';
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    return counts;
  }
}

/** Within five standard deviations of a binomial; seeds are fixed, so it holds always or never. */
export function assertShare(seen: number, of: number, p: number): void {
  const deviation = Math.sqrt(of * p * (1 - p));
  assert.ok(Math.abs(seen - of * p) <= 5 * deviation, `${seen} of ${of} is not ${p}`);
}
