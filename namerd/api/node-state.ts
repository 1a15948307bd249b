/** What a node proxy must know about its own node: one atomic snapshot, so that no policy arrives too late. */

import type { WorkloadHttp } from './http/service.ts';
import type { Policy, Transport } from './policy.ts';

export interface NodeWorkload {
  /** `<namespace>/<name>` */
  workload: string;
  namespace: string;
  name: string;
  serviceAccount: string;
  /** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` */
  identity: string;
  /** Canonical IPs; empty while none is known. */
  addresses: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** The label `nodemesh.io/mesh` of the workload; `unset` leaves it to the namespace. */
  mesh: 'enabled' | 'disabled' | 'unset';
  terminating: boolean;
  /** The policies that apply here, in the order in which they are tried; each is in `policies` below. */
  policies: readonly string[];
  transport: Transport;
  /** Undefined: nothing asks for HTTP here, bytes are only relayed. */
  http?: WorkloadHttp;
}

export interface NodeState {
  node: string;
  workloads: readonly NodeWorkload[];
  policies: readonly Policy[];
}

/** The trust bundle: every root that is accepted now (several while a root is being replaced). */
export interface TrustState {
  trustDomain: string;
  /** PEM certificates. */
  roots: readonly string[];
}
