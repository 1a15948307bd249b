/** The L4 data path. Starts nothing by itself: workers/ gives it sockets and snapshots. */

export { Authorizer, DENY_ALL, PolicyUnreadable } from '../authorize/index.ts';
export type { WorkerContext } from './context.ts';
export type { Reason } from './failure.ts';
export { type Credential, Credentials } from './hbone/credentials.ts';
export { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT, PROXY_MARK } from './hbone/wire.ts';
export { DEFAULT_LIMITS, type TunnelLimits } from './limits.ts';
export { LocalPod, type PodIdentity } from './local-pod.ts';
export { PodListeners } from './pod-listeners.ts';
export type { AccessEntry, Edge, EdgeTable, FlowLabels, Security } from './relay/flow.ts';
