/**
 * The mesh API, namerd ↔ node proxies: HTTP/2 over mutual TLS 1.3 (ALPN `h2`), JSON bodies.
 *
 *   POST /mesh/v1/join          JoinRequest → Issued          no client certificate, a join token instead
 *   POST /mesh/v1/certificates  CertificateRequest → Issued   client certificate of the node
 *   POST /mesh/v1/watch         lines both ways               client certificate of the node
 *
 * On the watch stream each line is one JSON object. The client asks (ClientLine), the server answers with the
 * full state of each watched key, at once and after every change (ServerLine). `version` is opaque and equal
 * for equal states, also across restarts of namerd: a client that comes back sends the version it has, and the
 * server answers without `state` when nothing changed. The server sends a beat when it was silent for
 * BEAT_MS; a side that hears nothing for SILENCE_MS closes. Requests that fail are answered with a JSON
 * `{code, message, by, next}` and a 4xx or 5xx status.
 */

import type { AddressState, NameState } from './binding.ts';
import type { NodeState, TrustState } from './node-state.ts';

export const BEAT_MS = 5_000;
export const SILENCE_MS = 15_000;
/** The longest line either side accepts, in bytes. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;
/** The most watches on one stream; more are refused with an `error` line. */
export const MAX_WATCHES = 20_000;

export interface WatchStates {
  /** Key: canonical `ip:port` of an original destination. */
  address: AddressState;
  /**
   * Key: a path such as `/svc/calc/division/http`; with a space and a dtab after it, that dtab is put behind the
   * mesh's own (`l5d-dtab`), and system namers are out of its reach.
   */
  name: NameState;
  /** Key: the node's own name; any other is refused. */
  node: NodeState;
  /** Key: ''. */
  trust: TrustState;
}

export type WatchKind = keyof WatchStates;

export type ClientLine =
  | { op: 'watch'; id: number; kind: WatchKind; key: string; version?: string }
  | { op: 'unwatch'; id: number }
  /** Replaces what this node reported before: the workloads (`<namespace>/<name>`) whose HBONE it terminates. */
  | { op: 'report'; enrolled: readonly string[]; seq: number }
  | { op: 'beat' };

export type ServerLine =
  | { id: number; version: string; state: unknown }
  /** Nothing changed since the version that the client named. */
  | { id: number; version: string }
  /** The key does not exist (any more): for an address, nobody's; for a name, negative. */
  | { id: number; version: string; deleted: true }
  | { id: number; error: { code: string; message: string } }
  /** The report with this `seq` has reached every binding, as far as it is about workloads of the node; or could not be kept. */
  | { reported: number; error?: { code: string; message: string } }
  | { beat: number };

export interface JoinRequest {
  node: string;
  token: string;
  /** PEM PKCS#10; subject and extensions are ignored, only key and signature count. */
  csr: string;
}

export interface CertificateRequest {
  /** The SPIFFE id wanted; namerd issues it only if the registry places such a workload on the caller's node. */
  identity: string;
  csr: string;
}

export interface Issued {
  /** PEM, leaf first, then intermediates, without the root. */
  chain: string;
  trust: TrustState;
  /** Validity of the leaf, milliseconds since the epoch. */
  notBefore: number;
  notAfter: number;
}
