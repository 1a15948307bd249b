/** Wire types and client of the mesh API: the only thing that namerd and the node proxies share besides names and trust. */

export type {
  AddressState,
  BoundTree,
  NameState,
  Replica,
  ReplicaSet,
  WeightedBranch,
} from './binding.ts';
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
