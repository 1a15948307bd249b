/** Every bound of the data path, with its default. All can be set in the configuration under `limits`. */

export interface TunnelLimits {
  /** Open connections of one pod in each direction; more are refused with RST and counted. */
  connectionsPerPod: number;
  /** Streams that we open in one tunnel (ztunnel: 100); the peer's own limit counts too. */
  streamsPerTunnel: number;
  tunnelsPerPeer: number;
  /** Connections of one pod that may wait for a tunnel to one peer. */
  waitingPerPeer: number;
  /** One attempt: TCP and TLS, or a CONNECT until its answer, milliseconds. */
  connectTimeoutMs: number;
  /** Endpoints tried for one connection. */
  attempts: number;
  /** How long a connection waits for namerd to say whose an unknown address is, milliseconds. */
  resolveTimeoutMs: number;
  /** TLS handshake and HTTP/2 preface on 15008, milliseconds. */
  handshakeTimeoutMs: number;
  /** Handshakes that one pod's 15008 has under way at once; a quarter of them for one address. */
  handshakesPerPod: number;
  /** Tunnels that one pod's 15008 has open at once. */
  inboundTunnelsPerPod: number;
  /** A tunnel without a stream is closed after this long, milliseconds (ztunnel: 5 minutes). */
  idleTunnelMs: number;
  /** Addresses whose binding a worker keeps. */
  bindings: number;
  /** A binding that nobody used for this long is given back, milliseconds. */
  idleBindingMs: number;
}

export const DEFAULT_LIMITS: TunnelLimits = {
  connectionsPerPod: 20_000,
  streamsPerTunnel: 200,
  tunnelsPerPeer: 128,
  waitingPerPeer: 10_000,
  connectTimeoutMs: 5_000,
  attempts: 3,
  resolveTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
  handshakesPerPod: 1_000,
  inboundTunnelsPerPod: 10_000,
  idleTunnelMs: 300_000,
  bindings: 10_000,
  idleBindingMs: 600_000,
};
