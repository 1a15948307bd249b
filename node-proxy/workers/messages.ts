/** What the main thread and its workers say to each other. Plain data, structured-cloned; ports are transferred. */

import type { MessagePort } from 'node:worker_threads';
import type { Policy, Transport, TrustState, WorkloadHttp } from '#api';
import type { EdgeDelta } from '../observe/edge-counters.ts';
import type { RequestDelta } from '../observe/requests/request-counters.ts';
import type { RequestLogSettings } from '../observe/requests/request-log.ts';
import type { HttpLimits } from '../policy/limits.ts';
import type { BindingKind, BoundState } from '../resolve/node-bindings.ts';
import type { Credential, PodIdentity, TunnelLimits } from '../tunnel/index.ts';
import type { PolicyWorkers } from './policy-workers.ts';
import type { Pulse } from './pulse.ts';

/** Tunnel workers accept and relay; policy workers understand HTTP, and get what is handed over to them. */
export type WorkerRole = 'tunnel' | 'policy';

export interface WorkerStart {
  /** Its name in metrics and logs: `tunnel-0`, `policy-0`, `policy/<namespace>`. */
  worker: string;
  node: string;
  limits: TunnelLimits;
  /** For policy workers; undefined: the defaults. */
  httpLimits?: HttpLimits;
  whenUnresolved: 'refuse' | 'passthrough';
  /** A file, `stdout` or `off`. */
  accessLog: string;
  /** Of requests, written by policy workers; undefined: off. */
  requestLog?: RequestLogSettings;
  trust: TrustState;
  policyWorkers: PolicyWorkers;
  /** By which the main thread sees that it does not hang; undefined: nobody looks. */
  pulse?: Pulse;
}

/** A pod of this node with what judges its callers. */
export interface PodSpec {
  who: PodIdentity;
  /** A descriptor of its netns, valid while the pod is enrolled. */
  netnsFd: number;
  /** Undefined while namerd has not told them: then nobody gets in. */
  rules: { policies: readonly Policy[]; transport: Transport } | undefined;
  /** What is done with HTTP that arrives there; undefined: bytes are only relayed. */
  http?: WorkloadHttp;
}

/** The listening sockets of one pod. */
export interface PodFds {
  outbound: number;
  plain: number;
  hbone: number;
}

export type ToWorker = ToAnyWorker | ToTunnelWorker | ToPolicyWorker;

export type ToAnyWorker =
  /** Every enrolled pod of the node; replaces what was said before. */
  | { type: 'pods'; pods: readonly PodSpec[] }
  /** The pod leaves: what is open may go on for the grace. Ends with `unserved`. */
  | { type: 'unserve'; pod: string; graceMs: number }
  | { type: 'credential'; credential: Credential }
  | { type: 'forget-credential'; identity: string }
  | { type: 'trust'; trust: TrustState }
  | ({ type: 'binding' } & BoundState)
  | { type: 'drain' }
  /** `details`: bindings too. */
  | { type: 'report'; seq: number; details: boolean }
  /** End every connection and write out what is left; answered with `closed`. */
  | { type: 'close' };

export type ToTunnelWorker =
  /** This worker serves the pod from now on. The descriptors are the worker's own. */
  | { type: 'serve'; pod: string; fds: PodFds }
  /** A way to a policy worker, asked for with `need-policy`, or to the successor of one that died. */
  | { type: 'policy-port'; worker: string; port: MessagePort }
  /** The policy worker has died, to its last descriptor; its successor gets a port of its own. */
  | { type: 'policy-gone'; worker: string };

export type ToPolicyWorker = /** Connections come from here. */ { type: 'tunnel-port'; port: MessagePort };

export type FromWorker =
  | { type: 'started' }
  | { type: 'serving'; pod: string }
  | { type: 'serve-failed'; pod: string; message: string }
  | { type: 'unserved'; pod: string }
  /** There are connections for this policy worker: answered with `policy-port`. */
  | { type: 'need-policy'; worker: string }
  | { type: 'watch'; kind: BindingKind; key: string }
  | { type: 'unwatch'; kind: BindingKind; key: string }
  /** Something could not be followed; what held before holds on. */
  | { type: 'problem'; about: string; message: string }
  | { type: 'closed' }
  | { type: 'edges'; deltas: EdgeDelta[]; droppedLogLines: number }
  | { type: 'requests'; deltas: RequestDelta[]; droppedLogLines: number }
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
  /** Names that routes lead to; for details only. */
  names: string[];
  /** With those that wait to be handed over. */
  openConnections: number;
  /** Connections handed over to policy workers: since the start, and waiting now. */
  handedOver: { total: number; waiting: number };
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
