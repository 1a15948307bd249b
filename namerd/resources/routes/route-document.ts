/** What `HTTPRoute` and `GRPCRoute` documents mean: one shape for both, since a gRPC method is a path. */

import type { RouteFilter, RouteMatch, RouteRetry } from '#api';

/** Everything in it has been checked; nothing in it has been looked up. */
export interface RouteDocument {
  kind: 'http' | 'grpc';
  /** Services whose clients the route is for; at least one. Without a port: every port of the service. */
  parents: readonly RouteParent[];
  rules: readonly RouteDocumentRule[];
  /** What was written and has no effect here. */
  warnings: readonly string[];
}

export interface RouteParent {
  namespace: string;
  service: string;
  port?: number;
  /** The name of a port of the service. */
  sectionName?: string;
}

export interface RouteDocumentRule {
  /** Its name, else its index as decimal text. */
  name: string;
  /** At least one; any of them selects the rule. */
  matches: readonly Omit<RouteMatch, 'action'>[];
  filters: readonly RouteFilter[];
  backends: readonly RouteDocumentBackend[];
  /** Milliseconds; 0 = none. */
  requestMs?: number;
  backendRequestMs?: number;
  retry?: RouteRetry;
}

export interface RouteDocumentBackend {
  namespace: string;
  service: string;
  port: number;
  /** Relative share, 0 to 1,000,000. */
  weight: number;
  filters: readonly RouteFilter[];
}
