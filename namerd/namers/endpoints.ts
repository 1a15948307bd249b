/** From `host port weight` to replicas, while the hosts' addresses change. */

import type { Replica, ReplicaSet } from '#api';
import type { Use } from '#base/derived.ts';
import { formatEndpoint } from '#base/net.ts';
import type { Hosts } from './hosts.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
  /** > 0 */
  readonly weight: number;
}

/**
 * Those whose addresses are known; undefined while none is known but some may still be. What the registry knows
 * about an address is filled in later, by whoever binds the name.
 */
export function replicasOf(use: Use, hosts: Hosts, endpoints: readonly HostPort[]): ReplicaSet | undefined {
  const replicas = new Map<string, Replica>();
  let pending = false;
  let failure: string | undefined;
  let denied = false;
  for (const { host, port, weight } of endpoints) {
    const state = use(`host ${host}`, () => hosts.watch(host));
    if (state.state === 'pending') pending = true;
    else if (state.state === 'failed') failure ??= `${host} can't be resolved: ${state.message}`;
    else if (state.state === 'neg') denied = true;
    else for (const ip of state.value) addOnce(replicas, plainReplica(ip, port, weight));
  }
  if (replicas.size > 0 || endpoints.length === 0)
    return { state: 'bound', replicas: [...replicas.values()] };
  if (pending) return undefined;
  return failure === undefined && denied
    ? { state: 'neg' }
    : { state: 'failed', message: failure ?? 'no address' };
}

export function plainReplica(ip: string, port: number, weight: number): Replica {
  return {
    address: formatEndpoint(ip, port),
    workload: '',
    node: '',
    identity: '',
    hbone: false,
    zone: '',
    weight,
    terminating: false,
  };
}

/** An address that is listed twice is one replica: the first. */
function addOnce(replicas: Map<string, Replica>, replica: Replica): void {
  if (!replicas.has(replica.address)) replicas.set(replica.address, replica);
}

/** A port as it stands in a name, or undefined. */
export function portOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** Keeps a replica set's identity while its content stays the same. */
export function stableReplicas(): (now: ReplicaSet) => ReplicaSet {
  let last: ReplicaSet | undefined;
  return now => {
    if (last === undefined || JSON.stringify(last) !== JSON.stringify(now)) last = now;
    return last;
  };
}
