/** Wire types and client of the mesh API: the only thing that namerd and the node proxies share besides names and trust. */

export type {
  AddressState,
  BoundTree,
  NameState,
  Replica,
  ReplicaSet,
  WeightedBranch,
} from './binding.ts';
export { DEFAULT_CLIENT_SETTINGS, DEFAULT_SERVICE_SETTINGS } from './http/defaults.ts';
export type {
  BalancerKind,
  Classifier,
  ClientSettings,
  FieldMatch,
  HashOn,
  HttpProtocol,
  Identifier,
  NameValue,
  PathChange,
  RouteAction,
  RouteBackend,
  RouteFilter,
  RouteMatch,
  RouteRetry,
  RouteTable,
  ServiceHttp,
  ServiceSettings,
  WorkloadHttp,
} from './http/service.ts';
export { LineReader } from './line-reader.ts';
export { clientLine, serverLine } from './line-shapes.ts';
export { MeshClient, type MeshClientOptions, type MeshStatus } from './mesh-client.ts';
export type { MeshCredentials } from './mesh-connection.ts';
export { MeshApiError, type MeshFailure } from './mesh-error.ts';
export type {
  CertificateRequest,
  ClientLine,
  Issued,
  JoinRequest,
  ServerLine,
  WatchKind,
  WatchStates,
} from './mesh-protocol.ts';
export { BEAT_MS, MAX_LINE_BYTES, MAX_WATCHES, SILENCE_MS } from './mesh-protocol.ts';
export type { NodeState, NodeWorkload, TrustState } from './node-state.ts';
export type {
  HeaderCondition,
  Policy,
  PolicyAction,
  PolicyRule,
  SourceMatch,
  TargetMatch,
  Transport,
  TransportMode,
} from './policy.ts';
export type { OnRefused, OnState } from './watch-table.ts';
