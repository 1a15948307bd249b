/** The L4 data path. Starts nothing by itself: workers/ gives it sockets and snapshots. */

export { Authorizer, DENY_ALL, PolicyUnreadable } from '../authorize/index.ts';
export type { SocketReader } from './accept.ts';
export type { Connector, Outgoing } from './connector.ts';
export type { WorkerContext } from './context.ts';
export { blamesEndpoint, ConnectionRefused, type Reason, refusalOf } from './failure.ts';
export { type Credential, Credentials } from './hbone/credentials.ts';
export { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT, PROXY_MARK } from './hbone/wire.ts';
export { callerAt, callerOf, enter, type InboundCaller, type Visit } from './inbound/enter.ts';
export type {
  HandedConnection,
  HandOver,
  HttpHooks,
  InboundCall,
  OutboundCall,
} from './layer7.ts';
export { DEFAULT_LIMITS, type TunnelLimits } from './limits.ts';
export { LocalPod, type OpenConnection, type PodIdentity } from './local-pod.ts';
export { type ListenerFds, PodDoors } from './pod-doors.ts';
export type { AccessEntry, Edge, EdgeTable, FlowLabels, Security } from './relay/flow.ts';
export { resetSocket, type Side, type SideEvents, StreamSide, sideOf } from './relay/side.ts';
