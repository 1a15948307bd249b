/**
 * All bound services of a worker, by leaf id. A service lives while any name refers to it, so two names that are
 * bound to the same id share connections, learning and limits, and a new snapshot of a name finds what the one
 * before it learnt: compile the new one first, then release the old one.
 */

import { type BoundTree, type ClientSettings, DEFAULT_CLIENT_SETTINGS, type NameState } from '#api';
import type { EndpointTable } from '../endpoint.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import { NameClient, type RequestBranch } from './name-client.ts';
import { type ClientContext, ServiceClient } from './service-client.ts';

export interface ClientTableOptions {
  /** Monotonic milliseconds. */
  now: () => number;
  /** 0 ≤ random() < 1; Math.random by default. */
  random?: () => number;
  /** An endpoint has left a service: the data path lets go of what it has attached. */
  dropped?: (endpoint: LoadedEndpoint) => void;
}

export class ClientTable {
  readonly #byId = new Map<string, { client: ServiceClient; uses: number }>();
  readonly #context: ClientContext;

  constructor(
    endpoints: EndpointTable,
    { now, random = Math.random, dropped = () => {} }: ClientTableOptions,
  ) {
    this.#context = { endpoints, now, random, dropped };
  }

  get size(): number {
    return this.#byId.size;
  }

  *values(): IterableIterator<ServiceClient> {
    for (const { client } of this.#byId.values()) yield client;
  }

  compile(state: NameState): NameClient {
    const branches: RequestBranch[] = [];
    if (state.state === 'failed') branches.push(none(1, 'binding_failed', state.message));
    else this.#flatten(state.tree, 1, branches);
    return new NameClient(branches.length > 0 ? branches : [none(1, 'unbound')], this.#context.random);
  }

  /** To be called once per compiled name, when no new request can choose it any more. */
  release(name: NameClient): void {
    for (const branch of name.branches) {
      if (!('client' in branch)) continue;
      const held = this.#byId.get(branch.client.id);
      if (held === undefined || held.client !== branch.client) continue;
      held.uses -= 1;
      if (held.uses > 0) continue;
      this.#byId.delete(held.client.id);
      held.client.close();
    }
  }

  /** Nested weights multiply (Finagle's NameTreeFactory). */
  #flatten(tree: BoundTree, weight: number, into: RequestBranch[]): void {
    if (tree.type === 'union') {
      const sum = tree.branches.reduce((total, branch) => total + branch.weight, 0);
      for (const branch of tree.branches) {
        if (sum > 0) this.#flatten(branch.tree, (weight * branch.weight) / sum, into);
      }
      return;
    }
    if (tree.type !== 'leaf') {
      into.push(none(weight, tree.type === 'empty' ? 'no_endpoints' : 'unbound'));
      return;
    }
    const set = tree.replicas;
    if (set.state === 'bound' && set.replicas.length > 0) {
      const client = this.#acquire(tree.id, tree.client ?? DEFAULT_CLIENT_SETTINGS);
      client.update(set.replicas, tree.client ?? DEFAULT_CLIENT_SETTINGS);
      into.push({ weight, client, residual: tree.residual === '/' ? '' : tree.residual });
    } else if (set.state === 'failed') into.push(none(weight, 'binding_failed', set.message));
    else into.push(none(weight, 'no_endpoints'));
  }

  #acquire(id: string, settings: ClientSettings): ServiceClient {
    const held = this.#byId.get(id);
    if (held !== undefined) {
      held.uses += 1;
      return held.client;
    }
    const client = new ServiceClient(id, settings, this.#context);
    this.#byId.set(id, { client, uses: 1 });
    return client;
  }
}

function none(
  weight: number,
  reason: 'unbound' | 'no_endpoints' | 'binding_failed',
  message = '',
): RequestBranch {
  return { weight, none: reason, message };
}
