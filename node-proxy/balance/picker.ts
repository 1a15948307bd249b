/**
 * Pickers: immutable snapshots, built when a binding changes, asked once per connection. `pick` is
 * synchronous and allocates nothing.
 */

import type { BoundTree } from '#api';
import type { Endpoint, EndpointTable } from './endpoint.ts';

/** Why nothing could be picked; becomes the reason of the refusal. */
export type NoEndpoint = 'unbound' | 'no_endpoints' | 'binding_failed' | 'exhausted';

/** One replica set: power of two choices over peak-EWMA cost, weights respected. */
export class ReplicaPicker {
  readonly id: string;
  readonly endpoints: readonly Endpoint[];
  /** Cumulative weights, or undefined when all are equal. */
  readonly #cumulative: Float64Array | undefined;

  constructor(id: string, endpoints: readonly Endpoint[]) {
    this.id = id;
    this.endpoints = endpoints;
    const first = endpoints[0]?.replica.weight ?? 1;
    if (endpoints.every(({ replica }) => replica.weight === first)) return;
    let total = 0;
    this.#cumulative = Float64Array.from(endpoints, ({ replica }) => (total += Math.max(replica.weight, 0)));
  }

  /**
   * @param tried endpoints that already failed for this connection.
   * @param random 0 ≤ random() < 1
   */
  pick(tried: readonly Endpoint[], nowMs: number, random: () => number): Endpoint | undefined {
    const all = this.endpoints;
    if (all.length === 0) return undefined;
    if (all.length === 1) return tried.length === 0 ? all[0] : undefined;
    const a = this.#draw(random);
    const b = this.#draw(random);
    const aGood = usable(a, tried, nowMs);
    const bGood = usable(b, tried, nowMs);
    if (aGood && bGood) return a.cost(nowMs) <= b.cost(nowMs) ? a : b;
    if (aGood) return a;
    if (bGood) return b;
    return this.#scan(tried, nowMs, random);
  }

  #draw(random: () => number): Endpoint {
    const all = this.endpoints;
    const sums = this.#cumulative;
    if (sums === undefined) return all[Math.floor(random() * all.length)] as Endpoint;
    const target = random() * (sums[sums.length - 1] ?? 0);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) > target) high = middle;
      else low = middle + 1;
    }
    return all[low] as Endpoint;
  }

  /** Both draws were unusable: the best of the rest, then terminating or ejected ones rather than nobody. */
  #scan(tried: readonly Endpoint[], nowMs: number, random: () => number): Endpoint | undefined {
    const all = this.endpoints;
    const start = Math.floor(random() * all.length);
    let lastResort: Endpoint | undefined;
    for (let i = 0; i < all.length; i++) {
      const candidate = all[(start + i) % all.length] as Endpoint;
      if (tried.includes(candidate)) continue;
      if (usable(candidate, tried, nowMs)) return candidate;
      // A terminating endpoint still answers; an ejected one probably does not.
      if (lastResort === undefined || (candidate.replica.terminating && candidate.accrual.available(nowMs))) {
        lastResort = candidate;
      }
    }
    return lastResort;
  }
}

function usable(endpoint: Endpoint, tried: readonly Endpoint[], nowMs: number): boolean {
  return !endpoint.replica.terminating && endpoint.accrual.available(nowMs) && !tried.includes(endpoint);
}

/** One weighted way of a bound name: a replica set, or a reason why its share of traffic fails. */
export type Branch = { weight: number; picker: ReplicaPicker } | { weight: number; none: NoEndpoint };

/** A bound name flattened to weighted branches; nested weights multiply (Finagle NameTreeFactory). */
export class NamePicker {
  readonly branches: readonly Branch[];
  readonly #total: number;

  constructor(branches: readonly Branch[]) {
    this.branches = branches;
    this.#total = branches.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Draws a branch for one connection; retries of that connection stay inside it. */
  pick(random: () => number): Branch {
    const only = this.branches[0];
    if (this.branches.length === 1 && only !== undefined) return only;
    let left = random() * this.#total;
    for (const branch of this.branches) {
      left -= branch.weight;
      if (left < 0) return branch;
    }
    return this.branches.findLast(({ weight }) => weight > 0) ?? UNBOUND;
  }

  release(table: EndpointTable): void {
    for (const branch of this.branches) {
      if ('picker' in branch) for (const endpoint of branch.picker.endpoints) table.release(endpoint);
    }
  }
}

const UNBOUND: Branch = { weight: 1, none: 'unbound' };

/** Compiles a bound tree; endpoints come from (and count in) the table. */
export function compileTree(tree: BoundTree, table: EndpointTable): NamePicker {
  const branches: Branch[] = [];
  flatten(tree, 1, table, branches);
  return new NamePicker(branches.length === 0 ? [UNBOUND] : branches);
}

function flatten(tree: BoundTree, weight: number, table: EndpointTable, into: Branch[]): void {
  if (tree.type === 'union') {
    const sum = tree.branches.reduce((total, branch) => total + branch.weight, 0);
    for (const branch of tree.branches) {
      if (sum > 0) flatten(branch.tree, (weight * branch.weight) / sum, table, into);
    }
    return;
  }
  if (tree.type !== 'leaf') {
    into.push({ weight, none: tree.type === 'empty' ? 'no_endpoints' : 'unbound' });
    return;
  }
  const set = tree.replicas;
  if (set.state !== 'bound') {
    into.push({ weight, none: set.state === 'neg' ? 'no_endpoints' : 'binding_failed' });
    return;
  }
  const endpoints = set.replicas
    .map(replica => table.acquire(replica))
    .filter(endpoint => endpoint !== undefined);
  into.push(
    endpoints.length === 0
      ? { weight, none: 'no_endpoints' }
      : { weight, picker: new ReplicaPicker(tree.id, endpoints) },
  );
}
