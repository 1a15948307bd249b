/**
 * Addresses that did not come from the registry (a file, the DNS, a name) may be workloads of the mesh all the
 * same: then the connection must be made as to any workload, with its identity and through its tunnel.
 */

import type { Replica, ReplicaSet } from '#api';
import type { Use } from '#base/derived.ts';
import { parseEndpoint } from '#base/net.ts';
import { type Registry, replicaAt } from '../registry/index.ts';

export class KnownReplicas {
  readonly #registry: Registry | undefined;

  constructor(registry: Registry | undefined) {
    this.#registry = registry;
  }

  /** The same set with what the registry knows; it is watched for what it may come to know. */
  fillIn(use: Use, set: ReplicaSet): ReplicaSet {
    const registry = this.#registry;
    if (registry === undefined || set.state !== 'bound' || set.replicas.every(isKnown)) return set;
    return { state: 'bound', replicas: set.replicas.map(each => fillInOne(use, registry, each)) };
  }
}

function isKnown({ workload }: Replica): boolean {
  return workload !== '';
}

function fillInOne(use: Use, registry: Registry, replica: Replica): Replica {
  const address = isKnown(replica) ? undefined : parseEndpoint(replica.address);
  if (address === undefined) return replica;
  const owner = use(`address ${address.ip}`, () => registry.watchAddress(address.ip));
  return owner?.type === 'workload'
    ? replicaAt(owner.state, address.ip, address.port, replica.weight)
    : replica;
}
