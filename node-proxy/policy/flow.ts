/** What the HTTP data path says about itself. The data path defines it; observe/ counts and writes it. */

import type { Security } from '../tunnel/index.ts';
import type { TraceContext } from './trace.ts';

export type HttpVersion = 'http1' | 'http2' | 'grpc';

export interface RequestLabels {
  reporter: 'source' | 'destination';
  sourceWorkload: string;
  sourceIdentity: string;
  destinationWorkload: string;
  destinationIdentity: string;
  /** `<namespace>/<service>`, or ''. */
  destinationService: string;
  /** `<namespace>/<route>[<rule>]`, or ''. */
  route: string;
  version: HttpVersion;
  security: Security | '';
}

/** Counters of one edge: looked up once per (connection, endpoint, route) and kept; then only added to. */
export interface RequestEdge {
  /**
   * One request is over.
   * @param status 0: there was no response, or it broke off before its head.
   * @param grpcStatus -1: not gRPC, or none came.
   */
  finished(status: number, grpcStatus: number, tookMs: number): void;
}

/** Counters of one service as its callers' node sees it. */
export interface ServiceCounters {
  /** Attempts after the first. */
  retries: number;
  /** Requests that a further attempt saved. */
  retrySuccesses: number;
  /** Attempts that were not made: no budget, no attempts left, body too large to keep. */
  retriesOverBudget: number;
  retriesOverLimit: number;
  retriesTooLarge: number;
  /** What the budget would allow now. */
  budget: number;
  ejections: number;
  /** Endpoints that are ejected now. */
  ejected: number;
  /** Requests refused because connections, pending or concurrent requests were at their limit. */
  shed: number;
  timeouts: number;
  /** `l5d-dtab` and other reserved headers removed from callers that may not send them. */
  headersRemoved: number;
}

export interface RequestTable {
  edge(labels: RequestLabels): RequestEdge;
  /**
   * The counters of `<namespace>/<service>` (or a bound id for what the breaker and limits count). Who holds them asks
   * again now and then: what nobody asks for is forgotten.
   */
  service(name: string): ServiceCounters;
  /** A request, or what was meant to be one, that this proxy answered itself. */
  refused(labels: RequestLabels, reason: string): void;
}

/** One line of the access log. */
export interface RequestEntry {
  direction: 'outbound' | 'inbound';
  labels: RequestLabels;
  source: string;
  /** Where the client connected to. */
  destination: string;
  /** Address of the endpoint that answered, or ''. */
  endpoint: string;
  method: string;
  path: string;
  authority: string;
  status: number;
  grpcStatus: number;
  requestBytes: number;
  responseBytes: number;
  /** Until the response's head; 0 when none came. */
  firstByteMs: number;
  durationMs: number;
  attempts: number;
  /** Name that was bound, and what it was bound to. */
  name: string;
  boundId: string;
  userAgent: string;
  requestId: string;
  /** The caller's, if it sent one that is valid. */
  trace: TraceContext | undefined;
  /** Policy rule that decided, on the server's node. */
  rule: string;
  audits: readonly string[];
  /** Why this proxy answered itself, or broke off; ''. */
  reason: string;
}

/** Where lines of the access log go. */
export interface RequestSink {
  /** Whether a request that ended so gets a line: asked before anything is made for one. */
  wants(end: Pick<RequestEntry, 'status' | 'grpcStatus' | 'reason'>): boolean;
  write(entry: RequestEntry): void;
}
