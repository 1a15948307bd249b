/** What the registry knows: services, workloads, and what follows from both. All values are immutable snapshots. */

import type { ReplicaSet } from '#api';
import type { Watchable } from '#base/watch.ts';
import type { ObjectStatus } from '../resources/status.ts';

export interface ServicePort {
  /** A DNS label that is no number, or ''. */
  readonly name: string;
  readonly port: number;
  /** The port of the workload: its number, or the name under which the workload lists it. */
  readonly target: number | string;
  /** As in Kubernetes and the Gateway API, or ''. */
  readonly appProtocol: string;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Virtual addresses as canonical IPs; may be none (then it has only its name). */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Labels that a workload of the namespace must all have; an empty selector selects none. */
  readonly selector: Readonly<Record<string, string>>;
}

export interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly node: string;
  readonly serviceAccount: string;
  /** Canonical IPs; may be none yet. Replicas use the first; all of them lead to the workload. */
  readonly addresses: readonly string[];
  readonly ports: Readonly<Record<string, number>>;
  /** Or ''. */
  readonly zone: string;
  /** > 0 */
  readonly weight: number;
  readonly ready: boolean;
  readonly terminating: boolean;
}

/** A document and where it was read, for messages. */
export interface Sourced<T> {
  readonly value: T;
  /** A file, or a word such as `storage`. */
  readonly source: string;
}

export interface RegistrySnapshot {
  readonly services: readonly Sourced<Service>[];
  readonly workloads: readonly Sourced<Workload>[];
}

/** Where documents come from. Unchanged documents keep their identity from snapshot to snapshot where that is cheap. */
export interface RegistrySource {
  readonly snapshot: Watchable<RegistrySnapshot>;
  /** What is wrong with the source's documents. */
  readonly status: Watchable<readonly ObjectStatus[]>;
}

/** A service's port and who serves it now. */
export interface PortState {
  readonly port: ServicePort;
  /** The last element of the name: the port's name, else its number. */
  readonly label: string;
  /** Keeps its identity while nothing changed for this port. */
  readonly replicas: ReplicaSet;
}

export interface ServiceState {
  readonly service: Service;
  readonly ports: readonly PortState[];
}

/** A workload together with what its mesh membership follows from. */
export interface WorkloadState {
  readonly workload: Workload;
  /** Its SPIFFE id, or '' in a mesh without trust domain. */
  readonly identity: string;
  readonly mesh: MeshLabel;
  /** Its node's proxy terminates HBONE for it. */
  readonly hbone: boolean;
}

/** Whose address it is. */
export type AddressOwner =
  | { readonly type: 'service'; readonly service: Service }
  | { readonly type: 'workload'; readonly state: WorkloadState };

export type MeshLabel = 'enabled' | 'disabled' | 'unset';

/** The label by which a workload says whether it is in the mesh. */
export const MESH_LABEL = 'nodemesh.io/mesh';

/** The annotation by which a service or a workload asks that HTTP be understood for it. */
export const HTTP_ANNOTATION = 'nodemesh.io/l7';

/** Whether its annotation asks for HTTP; routes and policies may all the same. */
export function asksForHttp({ annotations }: Service | Workload): boolean {
  return annotations[HTTP_ANNOTATION] === 'enabled';
}

export function meshLabelOf({ labels }: Workload): MeshLabel {
  const value = labels[MESH_LABEL];
  return value === 'enabled' || value === 'disabled' ? value : 'unset';
}

/** `<namespace>/<name>`: unique within a kind. */
export function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}
