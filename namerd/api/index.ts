/** Wire types and client of the mesh API: the only thing that namerd and the node proxies share besides names and trust. */

export type {
  AddressState,
  BoundTree,
  NameState,
  Replica,
  ReplicaSet,
  WeightedBranch,
} from './binding.ts';
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
  Policy,
  PolicyAction,
  PolicyRule,
  SourceMatch,
  TargetMatch,
  Transport,
  TransportMode,
} from './policy.ts';
export type { OnRefused, OnState } from './watch-table.ts';
