/**
 * One request and its response on a client's HTTP/2 stream: the life of h1/exchange.ts, on streams.
 *
 *   planning ─► connecting ─► waiting ─► responding ─► over
 *       │            └─ retry ────┘
 *       └► answered by the proxy itself ─► over
 *
 * It is over when both streams are: what is still to be sent or read counts as under way, and is under the same
 * deadlines. `grpc-timeout` is the total deadline where it is the shorter one; it is passed on as it came. One below
 * HASTY_MS speaks against no application, nor does any that passes while the client has still to send or to read.
 */

import { H2Code, type H2Stream, type Header, type ResetBy, type StreamEvents } from '../../http2/index.ts';
import type { Late, Lateness } from '../exchange/deadlines.ts';
import type { Host } from '../exchange/host.ts';
import { isIdempotent } from '../exchange/idempotent.ts';
import type { Outcome, Plan, Redirect, Verdict } from '../exchange/plan.ts';
import { ClientSlow, clientTooLate, HASTY_MS, Haste, Times, tooLate } from '../exchange/times.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { HeaderEdits } from '../view.ts';
import type { Wire } from '../wire/wire.ts';
import { answerOn } from './answer.ts';
import { Attempt } from './attempt.ts';
import { coarseMs, grpcTimeoutMs } from './head/grpc-timeout.ts';
import { forwardedRequest, forwardedTrailers } from './head/header-lists.ts';
import type { H2RequestHead } from './head/request-head.ts';
import { RequestBody } from './request-body.ts';
import { H2Response, type ResponseOwner } from './response.ts';
import { H2Upstream } from './upstream-connection.ts';
import type { Waiter } from './upstream-pool.ts';

/** The client's connection. */
export interface ExchangeOwner {
  readonly wire: Wire;
  readonly host: Host;
  /** Once. */
  over(exchange: H2Exchange): void;
}

type State = 'planning' | 'connecting' | 'waiting' | 'responding' | 'answered' | 'over';

export class H2Exchange implements StreamEvents, ResponseOwner, Waiter, Late {
  readonly grpc: boolean;
  readonly #owner: ExchangeOwner;
  readonly #client: H2Stream;
  readonly #request: H2RequestHead;
  readonly #plan: Plan;
  readonly #body: RequestBody;
  readonly #response: H2Response;
  readonly #attempt: Attempt;
  readonly #outcome: Outcome = { status: 0, grpcStatus: -1, requestBytes: 0, responseBytes: 0, reason: '' };
  #state: State = 'planning';
  #startedMs = 0;
  /** What the client has said that it waits; 0: nothing. */
  #grpcMs = 0;
  #responseSent = false;
  #responseDone = false;
  #moved = false;
  #lastMs = 0;
  #wait: { cancel(): void } | undefined;
  /** Made when a time is limited. */
  #times: Times | undefined;

  constructor(owner: ExchangeOwner, client: H2Stream, request: H2RequestHead, plan: Plan) {
    this.grpc = request.grpc;
    this.#owner = owner;
    this.#client = client;
    this.#request = request;
    this.#plan = plan;
    this.#body = new RequestBody(client, owner.wire, plan);
    this.#response = new H2Response(client, this);
    this.#attempt = new Attempt(this, this.#body, this.#response);
  }

  get responseEdits(): HeaderEdits | undefined {
    return this.#plan.responseEdits;
  }

  /** @param endStream there is no body. */
  begin(endStream: boolean): void {
    const nowMs = this.#owner.host.now();
    this.#startedMs = this.#lastMs = nowMs;
    this.#body.ended = endStream;
    const verdict = this.#plan.begin(this.#request, this.grpc ? 'grpc' : 'http2', nowMs);
    if (verdict instanceof Promise) {
      // Naming takes its share of the request's time.
      this.#limitTotal(nowMs);
      void this.#later(verdict);
    } else this.#follow(verdict, nowMs);
  }

  /** Ends it at once: the client has gone, or is cut off. */
  abandon(reason: string): void {
    if (this.#state === 'over') return;
    if (!this.#responseSent) this.#outcome.reason ||= reason;
    this.#attempt.drop();
    this.#over();
  }

  /** To be called every second: has nothing moved for too long? */
  checkIdle(nowMs: number): void {
    if (this.#moved) {
      this.#moved = false;
      this.#lastMs = nowMs;
      return;
    }
    const { idleMs } = this.#plan;
    if (idleMs > 0 && nowMs - this.#lastMs >= idleMs) this.late('timeout_idle');
  }

  // === The client's stream ===

  /** Trailers. */
  onHeaders(headers: readonly Header[]): void {
    const fields = forwardedTrailers(headers, this.grpc);
    if (fields.length > 0) this.#body.trailers(fields);
  }

  onData(chunk: Buffer): void {
    this.#moved = true;
    this.#body.data(chunk);
  }

  onEnd(): void {
    if (this.#body.ended) return;
    this.#moved = true;
    this.#body.end();
    if (this.#responseDone) this.#finish();
  }

  onReset(code: number, by: ResetBy): void {
    if (this.#state === 'over') return;
    // The codec: it broke a rule, or did not read what came.
    if (by === 'local') return this.abandon(code === H2Code.INTERNAL_ERROR ? 'overloaded' : 'bad_request');
    // It gave up when its time was up: that is as if we had, and speaks against the application as much.
    const waitedMs = this.#owner.host.now() - this.#startedMs;
    const outOfTime = this.#grpcMs > 0 && code === H2Code.CANCEL && waitedMs >= this.#grpcMs * PATIENCE;
    if (!outOfTime || this.#outcome.status !== 0) return this.abandon('client_gone');
    this.#plan.failed(this.#tooLate('timeout_total'), false, this.#owner.host.now());
    this.abandon('timeout_total');
  }

  onDrain(): void {
    this.#moved = true;
    this.#response.drained();
  }

  onSent(): void {
    this.#responseSent = true;
    if (this.#responseDone) this.#finish();
  }

  // === The connection to the application ===

  connected(connection: H2Upstream): void {
    if (this.#state === 'connecting') this.#send(connection, this.#owner.host.now());
  }

  unconnected(refusal: HttpRefusal): void {
    if (this.#state === 'connecting') this.#failed(refusal, true);
  }

  // === The response ===

  moved(): void {
    this.#moved = true;
  }

  wanted(status: number, grpcStatus: number, marked: boolean): boolean {
    const plan = this.#plan;
    if (plan.responded(status, grpcStatus, marked, this.#owner.host.now()) === 'retry') return false;
    if (!plan.perTryWhole) this.#times?.attemptOver();
    this.#body.settle();
    this.#state = 'responding';
    this.#outcome.status = status;
    this.#outcome.grpcStatus = grpcStatus;
    return true;
  }

  unwanted(): void {
    this.#attempt.drop();
    this.#again(this.#owner.host.now());
  }

  trailed(grpcStatus: number): void {
    this.#outcome.grpcStatus = grpcStatus;
  }

  finished(sent: boolean): void {
    this.#responseDone = true;
    this.#times?.attemptOver();
    if (sent) this.#responseSent = true;
    this.#attemptOver();
  }

  requestDrained(): void {
    this.#body.drained();
  }

  requestSent(): void {
    if (this.#responseDone) this.#attemptOver();
  }

  /** All is said to and by the application: its place is another's, however slowly the client takes the response. */
  #attemptOver(): void {
    if (this.#attempt.closed) this.#attempt.drop();
    this.#finish();
  }

  broken(code: number, by: ResetBy): void {
    const attempt = this.#attempt;
    if (this.#responseDone) {
      // All was said; the rest of the request is not wanted (RFC 9113 §8.1).
      attempt.drop();
      return this.#finish();
    }
    const nowMs = this.#owner.host.now();
    const refusal = attempt.refusal(code, by);
    if (this.#state !== 'responding') {
      const repeatable = isIdempotent(this.#request.method);
      return this.#failed(refusal, attempt.untouched(code, by, repeatable, nowMs));
    }
    // Some applications end their streams so.
    const meant = by === 'peer' && code === H2Code.NO_ERROR;
    if (!meant) {
      this.#plan.failed(refusal, false, nowMs);
      this.#outcome.reason = refusal.reason;
    }
    attempt.drop();
    this.#times?.attemptOver();
    this.#responseDone = true;
    this.#response.breakOff(clientCodeOf(code, by));
  }

  brokenOff(code: number): void {
    this.#over();
    this.#client.reset(code);
  }

  async #later(verdict: Promise<Verdict>): Promise<void> {
    let said: Verdict;
    try {
      said = await verdict;
    } catch (error) {
      said = HttpRefusal.of(error);
    }
    if (this.#state === 'planning') this.#follow(said, this.#owner.host.now());
  }

  #follow(verdict: Verdict, nowMs: number): void {
    if (verdict !== 'forward') return this.#answer(verdict);
    this.#limitTotal(nowMs);
    this.#try(nowMs);
  }

  #limitTotal(nowMs: number): void {
    let { totalMs } = this.#plan;
    if (this.#request.grpcTimeout !== undefined) {
      this.#grpcMs = grpcTimeoutMs(this.#request.grpcTimeout);
      if (this.#grpcMs > 0 && (totalMs === 0 || this.#grpcMs < totalMs)) totalMs = coarseMs(this.#grpcMs);
    }
    if (totalMs > 0) this.#limits.limitTotal(totalMs, nowMs);
  }

  #try(nowMs: number): void {
    const plan = this.#plan;
    const { host } = this.#owner;
    const upstream = plan.next(nowMs);
    if (upstream instanceof HttpRefusal) return this.#answer(upstream);
    if (plan.perTryMs > 0) this.#limits.limitAttempt(plan.perTryMs, nowMs);
    const place = this.#attempt.begin(upstream, host.limits);
    if (place instanceof H2Upstream) return this.#send(place, nowMs);
    this.#state = 'connecting';
    if (place !== undefined) this.#failed(place, true);
  }

  #send(connection: H2Upstream, nowMs: number): void {
    this.#state = 'waiting';
    const refusal = this.#attempt.send(connection, forwardedRequest(this.#request, this.#plan), nowMs);
    if (refusal !== undefined) this.#failed(refusal, refusal.reason === 'upstream_reset');
  }

  late(reason: Lateness): void {
    if (this.#state === 'over') return;
    const responding = this.#state === 'responding';
    const waited =
      (reason === 'timeout_idle' && this.#awaitsClient) ||
      (reason === 'timeout_try' && responding && this.#response.behind);
    const refusal = waited ? clientTooLate() : this.#tooLate(reason);
    if (reason === 'timeout_try' && !responding) return this.#failed(refusal, false);
    // A client that is slow to read, or goes on sending, is not the application's fault.
    if (!this.#responseDone) this.#plan.failed(refusal, false, this.#owner.host.now());
    this.#attempt.drop();
    if (!responding && this.#state !== 'answered') return this.#answer(refusal);
    this.#outcome.reason ||= refusal.reason;
    this.brokenOff(H2Code.CANCEL);
  }

  #tooLate(reason: Lateness): HttpRefusal {
    const hasty = reason === 'timeout_total' && this.#grpcMs > 0 && this.#grpcMs < HASTY_MS;
    const cause = hasty ? new Haste() : this.#awaitsClient ? new ClientSlow() : undefined;
    return tooLate(reason, this.#attempt.address, cause);
  }

  /** It has to send, or to read, before anything can move. */
  get #awaitsClient(): boolean {
    const reads = this.#response.behind || (this.#responseDone && !this.#responseSent);
    return reads || this.#body.awaited;
  }

  get #limits(): Times {
    this.#times ??= new Times(this.#owner.host, this);
    return this.#times;
  }

  /** The attempt brought no response. */
  #failed(refusal: HttpRefusal, untouched: boolean): void {
    const nowMs = this.#owner.host.now();
    const next = this.#plan.failed(refusal, untouched && this.#body.whole, nowMs);
    this.#attempt.drop();
    if (next !== 'retry') this.#answer(next);
    else if (this.#body.whole) this.#again(nowMs);
    else this.#answer(refusal);
  }

  #again(nowMs: number): void {
    const { backoffMs } = this.#plan;
    this.#state = 'connecting';
    this.#times?.attemptOver();
    if (backoffMs <= 0) return this.#try(nowMs);
    const { host } = this.#owner;
    this.#wait = host.after(backoffMs, () => {
      this.#wait = undefined;
      this.#try(host.now());
    });
  }

  #answer(answer: HttpRefusal | Redirect): void {
    if (answer instanceof HttpRefusal) this.#outcome.reason = answer.reason;
    this.#times?.attemptOver();
    // It is the last word: no attempt may follow while the client takes it.
    this.#wait?.cancel();
    this.#state = 'answered';
    const reply = answerOn(this.#client, answer, this.grpc, this.#request.method);
    this.#outcome.status = reply.status;
    this.#outcome.grpcStatus = reply.grpcStatus;
    // Not before: what leaves at once must not end the exchange without its status.
    this.#responseDone = true;
    if (reply.body === '') this.#responseSent = true;
    this.#finish();
  }

  /** Ends it, if nothing is left to be sent or read. */
  #finish(): void {
    if (this.#state === 'over' || !this.#responseSent) return;
    const attempt = this.#attempt;
    // gRPC's status is its last word; elsewhere an application may go on reading after its answer.
    if (!this.grpc && !attempt.dropped && !(this.#body.ended && attempt.closed)) return;
    attempt.drop();
    this.#over();
    // The rest of the request is wanted by nobody.
    if (!this.#body.ended) this.#client.reset(H2Code.NO_ERROR);
  }

  #over(): void {
    this.#state = 'over';
    this.#times?.over();
    this.#wait?.cancel();
    const outcome = this.#outcome;
    this.#body.over();
    outcome.requestBytes = this.#body.bytes;
    outcome.responseBytes = this.#response.bytes;
    this.#plan.end(outcome, this.#owner.host.now());
    this.#owner.over(this);
  }
}

/** Share of its time after which a client that cancels has waited for nothing. */
const PATIENCE = 0.9;

/** What a client is told of a stream that broke after the response's head: never that nothing was done. */
function clientCodeOf(code: number, by: ResetBy): number {
  const passed = code === H2Code.CANCEL || code === H2Code.ENHANCE_YOUR_CALM || code === H2Code.NO_ERROR;
  return by === 'peer' && passed ? code : H2Code.INTERNAL_ERROR;
}
