/** Why a connection did not happen. `reason` is the stable word in metrics and the access log. */

import { type Culprit, codeOf, MeshError, messageOf } from '#base/errors.ts';

const REASONS = {
  connection_limit: ['mesh', 'Raise limits.connectionsPerPod or find what opens so many connections.'],
  no_original_destination: [
    'client',
    'Something connected to the capture port directly instead of being redirected.',
  ],
  loop: ['client', "The target is one of the mesh's own ports."],
  unresolved: ['mesh', 'namerd did not say in time whose address this is: see binding staleness in /ready.'],
  unserved_port: ['client', 'The service has no such port: see its Service document.'],
  unbound: ['config', 'No dtab rule leads this name anywhere: `namerctl delegate` shows each step.'],
  no_endpoints: ['upstream', 'The name is bound to a replica set without replicas.'],
  binding_failed: ['config', 'namerd could not bind the name: `namerctl bind` shows the error.'],
  exhausted: ['upstream', 'Every endpoint that was tried refused; see the cause.'],
  connect_failed: ['upstream', 'Is the application listening, and does a network policy block the port?'],
  connect_timeout: ['upstream', 'Nothing answered: is the host alive, is port 15008 blocked between nodes?'],
  no_certificate: ['mesh', 'The workload has no certificate yet: see `certificates` in /ready.'],
  tls_failure: [
    'upstream',
    'The TLS handshake failed; the cause says why (expired, other trust domain, not a mesh peer).',
  ],
  wrong_identity: ['upstream', "The peer's certificate is not that of the expected workload."],
  policy: ['policy', 'An authorization policy refused it; the access log names the rule.'],
  policy_changed: ['policy', 'A changed policy no longer allows this open connection.'],
  plaintext_refused: ['policy', 'The workload takes only mesh traffic (strict mode).'],
  bad_request: ['client', 'The peer sent something that is not a CONNECT to a port of this pod.'],
  stream_limit: ['client', 'Too many streams on one tunnel.'],
  peer_error: ['mesh', "The peer's proxy answered with an error."],
  tunnel_gone: ['mesh', "The peer's proxy closed the tunnel; a new one is made."],
  no_policy_worker: [
    'mesh',
    'The destination asks for HTTP, and no policy worker took the connection in time: see the log for why it died.',
  ],
  draining: ['mesh', 'This proxy is shutting down.'],
  unenrolled: ['mesh', 'The pod has left the mesh.'],
} as const satisfies Record<string, readonly [Culprit, string]>;

export type Reason = keyof typeof REASONS;

export class ConnectionRefused extends MeshError {
  readonly reason: Reason;

  constructor(reason: Reason, message: string, cause?: unknown) {
    const [by, next] = REASONS[reason];
    super(`NM_${reason.toUpperCase()}`, message, { by, next, cause });
    this.reason = reason;
  }
}

const ENDPOINT_FAULTS: ReadonlySet<Reason> = new Set([
  'connect_failed',
  'connect_timeout',
  'tls_failure',
  'wrong_identity',
  'peer_error',
]);

/**
 * Does it speak against the endpoint where it happened? Not what is amiss on this side, and not `tunnel_gone`: a proxy
 * that is being replaced says GOAWAY, the application behind it may be fine.
 */
export function blamesEndpoint(reason: Reason): boolean {
  return ENDPOINT_FAULTS.has(reason);
}

/** Maps whatever a socket or TLS stream failed with to a reason; the only place that knows Node's codes. */
export function refusalOf(error: unknown, where: string): ConnectionRefused {
  if (error instanceof ConnectionRefused) return error;
  const code = codeOf(error) ?? '';
  const text = `${where}: ${messageOf(error)}`;
  if (code === 'ETIMEDOUT') return new ConnectionRefused('connect_timeout', text, error);
  if (TLS_CODE.test(code)) return new ConnectionRefused('tls_failure', text, error);
  return new ConnectionRefused('connect_failed', text, error);
}

/** OpenSSL verification results and protocol errors, as Node spells them. */
const TLS_CODE =
  /^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|ERR_OSSL|INVALID_PURPOSE|EPROTO)/;
