/**
 * The attempts of a request, one after another: a place on a connection to the application, then a stream of it that
 * the body goes to and the response comes from.
 */

import { H2Code, H2Error, type H2Stream, type Header, type ResetBy } from '../../http2/index.ts';
import type { Upstream } from '../exchange/plan.ts';
import type { HttpLimits } from '../limits.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { RequestBody } from './request-body.ts';
import type { H2Response } from './response.ts';
import type { H2Upstream } from './upstream-connection.ts';
import { H2Pool, type Waiter } from './upstream-pool.ts';

/** As long as an application's word that it closes may be under way. */
const CROSSED_MS = 1_000;

export class Attempt {
  readonly #waiter: Waiter;
  readonly #body: RequestBody;
  readonly #response: H2Response;
  #upstream: Upstream | undefined;
  #connection: H2Upstream | undefined;
  #stream: H2Stream | undefined;
  /** When it was sent, and how much its connection had heard by then. */
  #sentMs = 0;
  #heard = 0;

  constructor(waiter: Waiter, body: RequestBody, response: H2Response) {
    this.#waiter = waiter;
    this.#body = body;
    this.#response = response;
  }

  /** Where the last one went, or ''. */
  get address(): string {
    return this.#upstream?.address ?? '';
  }

  /** Nobody listens to the application, or there never was an attempt. */
  get dropped(): boolean {
    return this.#stream === undefined;
  }

  /** Nothing is under way to or from the application. */
  get closed(): boolean {
    return this.#stream === undefined || this.#stream.closed;
  }

  /** @returns a connection that has room; a refusal; or nothing: the waiter hears of it. */
  begin(upstream: Upstream, limits: HttpLimits): H2Upstream | HttpRefusal | undefined {
    this.#upstream = upstream;
    upstream.h2 ??= new H2Pool(upstream, limits.streamsPerUpstream, {
      openMs: limits.headMs,
      idleMs: limits.upstreamIdleMs,
      lingerMs: limits.lingerMs,
    });
    return upstream.h2.take() ?? upstream.h2.wait(this.#waiter);
  }

  /** @returns why the connection can't take the request. */
  send(connection: H2Upstream, headers: readonly Header[], nowMs: number): HttpRefusal | undefined {
    const { empty } = this.#body;
    let stream: H2Stream;
    try {
      stream = connection.open(headers, this.#response, empty);
    } catch (error) {
      return this.#unsent(error);
    }
    this.#connection = connection;
    this.#stream = stream;
    this.#sentMs = nowMs;
    this.#heard = connection.heard;
    this.#response.attach(stream, connection.wire);
    if (!empty) this.#body.attach(stream);
    return undefined;
  }

  /** Why the stream was reset. */
  refusal(code: number, by: ResetBy): HttpRefusal {
    return (this.#connection as H2Upstream).refusalOf(code, by);
  }

  /**
   * The application can't have seen the request: it said so, or the request crossed with its closing a connection
   * that was used again just then. That is a guess, for requests that may be repeated.
   */
  untouched(code: number, by: ResetBy, repeatable: boolean, nowMs: number): boolean {
    if (by === 'peer') return code === H2Code.REFUSED_STREAM;
    const atOnce = nowMs - this.#sentMs < CROSSED_MS && this.#connection?.heard === this.#heard;
    return by === 'connection' && repeatable && atOnce;
  }

  /** What the application still says is not heard. */
  drop(): void {
    this.#upstream?.h2?.leave(this.#waiter);
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    this.#response.detach();
    this.#body.detach();
    stream.reset(H2Code.CANCEL);
    // Its place may be another's.
    this.#upstream?.h2?.freed();
  }

  #unsent(error: unknown): HttpRefusal {
    if (!(error instanceof H2Error)) return HttpRefusal.of(error);
    const where = this.address;
    return error.h2Code === H2Code.REFUSED_STREAM
      ? new HttpRefusal('upstream_reset', `${where}: ${error.message}`)
      : new HttpRefusal('bad_request', `${where}: ${error.message}`, undefined, 431);
  }
}
