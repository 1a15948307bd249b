/** What the main thread and a tunnel worker say to each other. Plain data: all of it is structured-cloned. */

import type { AddressState, Policy, Transport, TrustState } from '#api';
import type { EdgeDelta } from '../observe/edge-counters.ts';
import type { Credential, PodIdentity, TunnelLimits } from '../tunnel/index.ts';

export interface WorkerStart {
  node: string;
  limits: TunnelLimits;
  whenUnresolved: 'refuse' | 'passthrough';
  /** A file, `stdout` or `off`. */
  accessLog: string;
  trust: TrustState;
}

/** A pod of this node with what judges its callers. */
export interface PodSpec {
  who: PodIdentity;
  /** A descriptor of its netns, valid while the pod is enrolled. */
  netnsFd: number;
  /** Undefined while namerd has not told them: then nobody gets in. */
  rules: { policies: readonly Policy[]; transport: Transport } | undefined;
}

export type ToWorker =
  /** Every enrolled pod of the node; replaces what was said before. */
  | { type: 'pods'; pods: readonly PodSpec[] }
  /** This worker serves the pod from now on. The descriptors are the worker's own. */
  | { type: 'serve'; pod: string; fds: { outbound: number; plain: number; hbone: number } }
  /** Ends with `unserved`. */
  | { type: 'unserve'; pod: string; graceMs: number }
  | { type: 'credential'; credential: Credential }
  | { type: 'forget-credential'; identity: string }
  | { type: 'trust'; trust: TrustState }
  | { type: 'binding'; address: string; state: AddressState }
  | { type: 'drain' }
  /** : bindings too. */
  | { type: 'report'; seq: number; details: boolean }
  /** End every connection and write out what is left; answered with `closed`. */
  | { type: 'close' };

export type FromWorker =
  | { type: 'started' }
  | { type: 'serving'; pod: string }
  | { type: 'serve-failed'; pod: string; message: string }
  | { type: 'unserved'; pod: string }
  | { type: 'watch'; address: string }
  | { type: 'unwatch'; address: string }
  /** Something could not be followed; what held before holds on. */
  | { type: 'problem'; about: string; message: string }
  | { type: 'closed' }
  | { type: 'edges'; deltas: EdgeDelta[]; droppedLogLines: number }
  | { type: 'report'; seq: number; report: WorkerReport };

/** A worker's state for `/metrics` and `/dump`. */
export interface WorkerReport {
  pods: {
    id: string;
    workload: string;
    connections: number;
    tunnels: { outbound: number; inbound: number };
  }[];
  bindings: BindingReport[];
  openConnections: number;
  /** Milliseconds. */
  eventLoopDelay: { p50: number; p99: number; max: number };
  heapBytes: number;
}

export interface BindingReport {
  address: string;
  kind: string;
  /** Name or workload behind it. */
  name: string;
  branches: { weight: number; id: string; endpoints: EndpointReport[] }[];
}

export interface EndpointReport {
  address: string;
  workload: string;
  hbone: boolean;
  state: string;
  open: number;
  latencyMs: number;
}
