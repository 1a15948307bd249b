/** Every bound of the HTTP data path that is the proxy's own, with its default; all can be set under `httpLimits`. */

export interface HttpLimits {
  /**
   * A head that has begun must be complete after this long, and HTTP/2 be open, milliseconds (nginx: client_header_timeout
   * 60 s, Envoy: none; slow writers get less here).
   */
  headMs: number;
  /** A client's connection without a request is closed after this long, milliseconds (Envoy: idle_timeout 1 h; nginx: keepalive_timeout 75 s). */
  clientIdleMs: number;
  /** An unused connection to an application is closed after this long, milliseconds (nginx: upstream keepalive_timeout 60 s). */
  upstreamIdleMs: number;
  /** Unused connections that are kept per pod and endpoint. */
  idlePerEndpoint: number;
  /** Request bytes that may wait for a connection, per request. */
  waitingBytes: number;
  /** What a client may still send after it was refused, milliseconds, before its connection is cut. */
  lingerMs: number;
  /** Streams that a client may have open on one HTTP/2 connection (Linkerd: 1,000; Envoy's default for safety: 100). */
  streamsPerConnection: number;
  /** Streams that we open on one HTTP/2 connection to an endpoint before another is made. */
  streamsPerUpstream: number;
  /** Names that a worker keeps bound. */
  names: number;
  /** How long a request waits for namerd to bind a name, milliseconds (Linkerd: bindingTimeoutMs 10 s). */
  bindMs: number;
  /** Bytes that the heads of requests under way may take in one worker; beyond it requests are refused with 503. */
  heldBytes: number;
  /** Bytes of an `l5d-dtab`. */
  dtabBytes: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  headMs: 15_000,
  clientIdleMs: 600_000,
  upstreamIdleMs: 60_000,
  idlePerEndpoint: 256,
  waitingBytes: 1024 * 1024,
  lingerMs: 2_000,
  streamsPerConnection: 1_000,
  streamsPerUpstream: 1_000,
  names: 10_000,
  bindMs: 10_000,
  heldBytes: 64 * 1024 * 1024,
  dtabBytes: 4_096,
};
