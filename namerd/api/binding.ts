/**
 * What a name or an address leads to, as namerd tells it to node proxies. All values are immutable
 * snapshots: a change is a new value, never a mutation.
 */

import type { ClientSettings, ServiceHttp } from './http/service.ts';

/** One place that serves a bound name. */
export interface Replica {
  /** Canonical `ip:port` (`[ip]:port` for IPv6) where the application listens. */
  address: string;
  /** `<namespace>/<name>`, or '' when the registry knows no workload at this address. */
  workload: string;
  /** The node it runs on, or '' when unknown. */
  node: string;
  /** Its SPIFFE id, or '' when it has none. */
  identity: string;
  /** True when its node proxy terminates HBONE for it on `<ip>:15008`. Never a downgrade hint: see Registry. */
  hbone: boolean;
  /** Zone label, or ''. */
  zone: string;
  /** Relative share within its replica set; > 0. */
  weight: number;
  /** Shutting down: takes no new connections, unless nothing else is left. */
  terminating: boolean;
}

/** The replicas behind a bound id. `neg` means that the id vanished after it was bound. */
export type ReplicaSet =
  | { state: 'bound'; replicas: readonly Replica[] }
  | { state: 'neg' }
  | { state: 'failed'; message: string };

/**
 * A fully bound name: no alternatives are left (Finagle's bind decides them), only weighted unions.
 * A union's weights need not add up to 1; a branch with weight 0 takes no traffic.
 */
export type BoundTree =
  | { type: 'neg' }
  | { type: 'fail' }
  | { type: 'empty' }
  | {
      type: 'leaf';
      id: string;
      residual: string;
      replicas: ReplicaSet;
      /** Of the service that the id means; undefined: the defaults. For HTTP only. */
      client?: ClientSettings;
    }
  | { type: 'union'; branches: readonly WeightedBranch[] };

export interface WeightedBranch {
  weight: number;
  tree: BoundTree;
}

/** The state of a bound name. While a name is still being bound, nothing is sent. */
export type NameState = { state: 'bound'; tree: BoundTree } | { state: 'failed'; message: string };

/** Whose address an original destination is. */
export type AddressState =
  | {
      target: 'service';
      namespace: string;
      service: string;
      /** The port's name, else its number: the last element of the name. */
      port: string;
      /** `/svc/<namespace>/<service>/<port>` */
      name: string;
      /** Gateway API and Kubernetes `appProtocol`, or ''. */
      appProtocol: string;
      bound: NameState;
      /** Undefined: nothing asks for HTTP, connections are only relayed. */
      http?: ServiceHttp;
    }
  /** A workload's own address; `replica.address` is the address that was asked for. */
  | { target: 'workload'; replica: Replica }
  /** The address belongs to a service that has no such port: nothing can answer there. */
  | { target: 'unserved'; namespace: string; service: string }
  /** Nobody's address in the mesh: the connection passes through untouched. */
  | { target: 'foreign' };
