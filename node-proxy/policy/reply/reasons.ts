/**
 * Why the proxy answers a request itself. Each reason is the stable word in metrics and the access log, with the
 * status that the client sees (Linkerd's or Envoy's where they have one), who has to act, and what to check.
 */

import type { Culprit } from '#base/errors.ts';

export interface ReasonFacts {
  readonly status: number;
  readonly by: Culprit;
  readonly next: string;
  /** gRPC status where the HTTP status alone would say less, see {@link grpcStatusOf}. */
  readonly grpc?: number;
}

/** gRPC status codes that HTTP statuses do not lead to. */
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;

const TABLE = {
  // What is asked for. Linkerd: unidentified and a bad l5d-dtab 400; Gateway API: no route 404, no backend 500.
  no_route: [
    404,
    'config',
    'No route of the service fits: compare method, path and headers with its HTTPRoutes.',
  ],
  unidentified: [
    400,
    'client',
    'The request lacks what names its destination: see identifiers in the TrafficPolicy.',
  ],
  bad_dtab: [400, 'client', 'The header l5d-dtab is no dtab: the message shows where it breaks.'],
  bad_request: [400, 'client', 'The request must be what RFC 9110 allows; the application never saw it.'],
  loop: [400, 'config', 'The request came back to where it was: see where the dtab and the routes lead.'],
  invalid_backend: [
    500,
    'config',
    "The route's backend leads nowhere: see the conditions in the route's status.",
  ],
  body_too_large: [413, 'client', 'The body is larger than is taken here.', RESOURCE_EXHAUSTED],

  // Names. Linkerd: no brokers 502. Envoy: no healthy upstream 503.
  unbound: [502, 'config', 'No dtab rule leads this name anywhere: `namerctl delegate` shows each step.'],
  binding_failed: [502, 'config', 'namerd could not bind the name: `namerctl bind` shows the error.'],
  unresolved: [
    503,
    'mesh',
    'namerd did not say in time where the name leads: see binding staleness in /ready.',
  ],
  no_endpoints: [503, 'upstream', 'The name is bound to a replica set without replicas that are ready.'],
  ejected: [
    503,
    'upstream',
    'All endpoints fail and are left alone for a while: see ejections in the metrics.',
  ],

  // Connections and responses. Linkerd: 502 for all of these.
  connect_failed: [
    502,
    'upstream',
    'Is the application listening, and does a network policy block the port?',
  ],
  upstream_reset: [
    502,
    'upstream',
    'The application closed the connection before it had answered: see its log.',
  ],
  bad_response: [502, 'upstream', 'The application must answer what RFC 9110 allows; it was not passed on.'],

  // Time. Envoy: 504 for upstreams, 408 for clients.
  timeout_total: [
    504,
    'upstream',
    "The request's time is up: see timeouts in the route or TrafficPolicy.",
    DEADLINE_EXCEEDED,
  ],
  timeout_try: [
    504,
    'upstream',
    'No attempt was answered in time: see timeouts in the route or TrafficPolicy.',
    DEADLINE_EXCEEDED,
  ],
  timeout_idle: [
    504,
    'upstream',
    'Nothing moved for too long: see the idle timeout in the TrafficPolicy.',
    DEADLINE_EXCEEDED,
  ],
  timeout_client: [
    408,
    'client',
    'The client must send what it announces, and read what it is answered.',
    DEADLINE_EXCEEDED,
  ],
  timeout_head: [408, 'client', 'The client must send the head of a request in one go.', DEADLINE_EXCEEDED],

  // Limits. Envoy: 503 for an open circuit.
  overloaded: [
    503,
    'mesh',
    'A limit on connections or requests is reached: see limits in the TrafficPolicy.',
  ],
  draining: [503, 'mesh', 'This proxy is shutting down: the request may be sent again.'],

  policy: [
    403,
    'policy',
    'An authorization policy refused it: the rule that is named, or none of those that allow (no-allow-matched).',
  ],
  internal: [500, 'mesh', 'Something unforeseen in the proxy: its log has the cause.'],
} as const satisfies Record<string, readonly [number, Culprit, string, number?]>;

export type HttpReason = keyof typeof TABLE;

export const REASONS: Readonly<Record<HttpReason, ReasonFacts>> = Object.fromEntries(
  Object.entries<readonly [number, Culprit, string, number?]>(TABLE).map(
    ([reason, [status, by, next, grpc]]) => [
      reason,
      grpc === undefined ? { status, by, next } : { status, by, next, grpc },
    ],
  ),
) as Record<HttpReason, ReasonFacts>;
