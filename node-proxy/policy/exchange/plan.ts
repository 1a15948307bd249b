/**
 * What is to become of one request, asked by the codecs that carry it. Two kinds: on the client's node a plan
 * routes, balances and retries; on the server's node it judges. One object per client connection (HTTP/1.1) or
 * stream (HTTP/2), used for one request at a time:
 *
 *   begin ──► forward ──► next ──► (attempt under way) ──responded──► forward ──► end
 *     │          ▲          │              │                 └─► retry ─► next
 *     └► answer  └ (waited) └► Refusal     └──failed──► retry ─► next, or Refusal
 */

import type { HttpVersion } from '../flow.ts';
import type { Field } from '../own-fields.ts';
import type { HttpRefusal } from '../reply/index.ts';
import type { CarriedRequest, HeaderEdits } from '../view.ts';
import type { Upstream } from './upstream.ts';

/** An answer that the proxy gives itself, and means: a redirect. */
export interface Redirect {
  status: number;
  location: string;
}

export type Verdict = 'forward' | HttpRefusal | Redirect;

/** What became of the request, for counters and logs. */
export interface Outcome {
  /** 0: no response. */
  status: number;
  /** -1: not gRPC, or none came. */
  grpcStatus: number;
  requestBytes: number;
  responseBytes: number;
  /** Why the proxy answered itself or broke off; '' when it did not. */
  reason: string;
}

export interface Plan {
  /** Milliseconds, 0 = none. */
  readonly totalMs: number;
  readonly perTryMs: number;
  /** An attempt's time ends with its whole response (Gateway API, `backendRequest`), not with its head (Linkerd). */
  readonly perTryWhole: boolean;
  readonly idleMs: number;
  /** Request bodies up to so many bytes are kept for another attempt; -1: there is none, nothing is kept. */
  readonly keepBytes: number;

  /** Path and authority to send; the authority only when it is another than the client's. */
  readonly path: string;
  readonly authority: string | undefined;
  readonly requestEdits: HeaderEdits | undefined;
  readonly responseEdits: HeaderEdits | undefined;
  /** Fields of our own: as HTTP/1.1 lines, and as fields. Known once `next` has picked. */
  readonly ownLines: string;
  readonly ownFields: readonly Field[];
  /** Milliseconds to wait before the next attempt; 0 = at once. */
  readonly backoffMs: number;

  /** A promise only where a name is not bound yet. The view is read during the call, and until `end` for logs. */
  begin(view: CarriedRequest, version: HttpVersion, nowMs: number): Verdict | Promise<Verdict>;
  /** Picks where the next attempt goes; it counts as under way from now on. */
  next(nowMs: number): Upstream | HttpRefusal;
  /**
   * The response's head, or a gRPC status that came instead of a response.
   * @param marked the response says `l5d-retryable: true`.
   */
  responded(status: number, grpcStatus: number, marked: boolean, nowMs: number): 'forward' | 'retry';
  /**
   * The attempt brought no response.
   * @param untouched the application can't have seen the request.
   */
  failed(refusal: HttpRefusal, untouched: boolean, nowMs: number): 'retry' | HttpRefusal;
  /** The body did not fit into `keepBytes`: there can be no other attempt. */
  tooLarge(): void;
  /** Exactly once per `begin`, whatever happened. */
  end(outcome: Outcome, nowMs: number): void;
}

export type { Upstream } from './upstream.ts';
