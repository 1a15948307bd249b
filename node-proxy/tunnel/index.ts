/** The L4 data path. Starts nothing by itself: workers/ gives it sockets and snapshots. */

export { Authorizer, DENY_ALL, PolicyUnreadable } from '../authorize/index.ts';
export type { WorkerContext } from './context.ts';
export type { Reason } from './failure.ts';
export { type Credential, Credentials } from './hbone/credentials.ts';
export { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT, PROXY_MARK } from './hbone/wire.ts';
export type {
  HandedConnection,
  HandOver,
  HttpHooks,
  InboundCall,
  OutboundCall,
} from './layer7.ts';
export { DEFAULT_LIMITS, type TunnelLimits } from './limits.ts';
export { LocalPod, type PodIdentity } from './local-pod.ts';
export { type ListenerFds, PodDoors } from './pod-doors.ts';
export type { AccessEntry, Edge, EdgeTable, FlowLabels, Security } from './relay/flow.ts';
