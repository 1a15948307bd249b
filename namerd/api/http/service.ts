/**
 * HTTP policy as namerd compiles it from HTTPRoute, GRPCRoute and TrafficPolicy documents, and policy workers
 * follow it. Everything is resolved: defaults are filled in, precedence is decided, backends are names that
 * the dtab decides about.
 */

import type { SourceMatch } from '../policy.ts';

/**
 * `http`: the client speaks first, and its first bytes tell HTTP/1.1 from HTTP/2 (gRPC among it). `detect`: nobody
 * said, so whoever speaks first decides. Ports that are known to be something else have no HTTP policy at all.
 */
export type HttpProtocol = 'http' | 'detect';

/** What clients of a service's port do with HTTP. */
export interface ServiceHttp {
  protocol: HttpProtocol;
  /** Routes with the service as parent. Undefined: every request goes to the service's own name. */
  routes?: RouteTable;
  /** Routes of the callers' own namespaces, by namespace: for those callers they take the place of `routes`. */
  consumers: Readonly<Record<string, RouteTable>>;
  settings: ServiceSettings;
}

export interface RouteTable {
  /** In the order in which they are tried; the first that fits decides. None fits: 404. */
  matches: readonly RouteMatch[];
  actions: readonly RouteAction[];
}

/** All given parts must fit (Gateway API HTTPRouteMatch; GRPCRoute's methods have become paths). */
export interface RouteMatch {
  /** Index into `actions`. */
  action: number;
  /** `prefix` fits whole segments: `/v2` fits `/v2` and `/v2/x`, not `/v2x`. Patterns are RE2, whole text. */
  path?: { kind: 'exact' | 'prefix' | 'regex'; value: string };
  method?: string;
  headers: readonly FieldMatch[];
  query: readonly FieldMatch[];
}

export interface FieldMatch {
  /** Lower case for headers. */
  name: string;
  kind: 'exact' | 'regex';
  value: string;
}

export interface RouteAction {
  /** `<namespace>/<route>[<rule>]`, the rule by its name or index: for logs and metrics. */
  id: string;
  grpc: boolean;
  filters: readonly RouteFilter[];
  /** Without backends a redirect answers, or 500. */
  backends: readonly RouteBackend[];
  /** Milliseconds; 0 = none (Gateway API HTTPRouteTimeouts). Undefined: those of the settings. */
  requestMs?: number;
  /** One attempt, until its whole response; `perTryMs` ends with the head. */
  backendRequestMs?: number;
  /** Gateway API HTTPRouteRetry; replaces the classifier of the settings. */
  retry?: RouteRetry;
}

export interface RouteRetry {
  /** Response statuses that are tried again. */
  codes: readonly number[];
  /** Further attempts after the first. */
  attempts: number;
  backoffMs: number;
}

export interface RouteBackend {
  /** Relative share, 0 or more. */
  weight: number;
  /** `/svc/<namespace>/<service>/<port>`; the dtab decides where it leads. */
  name: string;
  filters: readonly RouteFilter[];
  /** Why this reference leads nowhere; its share is answered with 500. */
  invalid?: string;
}

export type RouteFilter =
  | { kind: 'requestHeaders' | 'responseHeaders'; set: NameValue[]; add: NameValue[]; remove: string[] }
  | { kind: 'redirect'; scheme?: string; hostname?: string; path?: PathChange; port?: number; status: number }
  | { kind: 'rewrite'; hostname?: string; path?: PathChange };

export interface NameValue {
  name: string;
  value: string;
}

/** `full` replaces the whole path, `prefix` the part that the match's prefix covers. The query stays. */
export interface PathChange {
  kind: 'full' | 'prefix';
  value: string;
}

/** Which responses are failures, and which of those may be tried again (Linkerd's response classifiers). */
export type Classifier =
  | 'nonRetryable5XX'
  | 'retryableRead5XX'
  | 'retryableIdempotent5XX'
  | 'retryableAll5XX'
  | 'allSuccessful';

/** What is asked of requests to a service, by its TrafficPolicy or by default. Times in milliseconds; 0 = none. */
export interface ServiceSettings {
  timeouts: {
    /** From the request's head until the response's end. */
    totalMs: number;
    /** One attempt, until the response's head. */
    perTryMs: number;
    /** Nothing moved in either direction. */
    idleMs: number;
  };
  retries: {
    classifier: Classifier;
    /** gRPC status codes that may be tried again, whatever the classifier says. */
    grpcCodes: readonly number[];
    /** Further attempts after the first. */
    attempts: number;
    /** Decorrelated jitter between the two; 0 and 0 = at once. */
    backoff: { minMs: number; maxMs: number };
    /** Request bodies up to this size are kept for another attempt. */
    bodyBytes: number;
    budget: { ratio: number; minPerSecond: number; ttlMs: number };
  };
  /** Tried in order; empty: the service's own name or its routes. */
  identifiers: readonly Identifier[];
  /** Keeps a user with the same backend while weights move. */
  stickyOn?: HashOn;
  /** Callers whose `l5d-dtab` is followed; anybody else's is removed and counted. Empty: nobody. */
  dtabFrom: readonly SourceMatch[];
}

/** Linkerd's HTTP identifiers: what a request is named. The first that applies decides; none applies: 400. */
export type Identifier =
  /** `/<prefix…>/<value>`; prefix `/svc` as in Linkerd, or `/host` for the authority. */
  | { kind: 'header'; prefix: string; header: string }
  /** The header's value is a whole path, appended to the prefix. */
  | { kind: 'headerPath'; prefix: string; header: string }
  /** The first segments of the request's path. */
  | { kind: 'path'; prefix: string; segments: number; consume: boolean }
  /** `<prefix>/1.1/<METHOD>/<host>` and the path's segments where asked for. */
  | { kind: 'methodAndHost'; prefix: string; uri: boolean }
  | { kind: 'static'; path: string }
  /** The service's own name and its routes. */
  | { kind: 'service' };

export type HashOn = { kind: 'header' | 'cookie' | 'query'; name: string } | { kind: 'sourceAddress' };

export type BalancerKind = 'peakEwma' | 'leastRequest' | 'roundRobin' | 'ringHash';

/** How the replicas of a bound service are used: travels with the leaf that is bound to it. */
export interface ClientSettings {
  balancer: { kind: BalancerKind; decayMs: number; hashOn?: HashOn };
  breaker: {
    /** Failures in a row that eject an endpoint; 0 = never. */
    failures: number;
    minMs: number;
    maxMs: number;
    /** Share of the endpoints that may be ejected at once, 0 to 1, rounded down. */
    maxEjected: number;
  };
  /** Per policy worker and service; 0 = no limit but the proxy's own. */
  limits: { connections: number; pending: number; requests: number };
}

/** What the node of a workload does with HTTP that arrives for it. Only where something asks for it. */
export interface WorkloadHttp {
  /** By workload port, as decimal text; others are `detect`. */
  ports: Readonly<Record<string, HttpProtocol | 'opaque'>>;
  /** Tells the application who calls (`x-forwarded-client-cert`). */
  forwardClientIdentity: boolean;
  /** Requests that the workload has under way at once, over all callers; 0 = no limit. */
  concurrentRequests: number;
}
