/**
 * One HTTP/1.1 request and its response, between a client's connection and an application's. Used again for every
 * request of the client's connection.
 *
 *   idle ─begin─► planning ─► connecting ─► waiting ─► responding ─► idle
 *                    │            └─ retry ────┘           └─► tunnel (101)
 *                    └► answered by the proxy itself
 *
 * Body bytes are forwarded as they came, chunk framing included: the parsers have proven that there is only one
 * way to read them.
 */

import { messageOf } from '#base/errors.ts';
import { forwardResponse, Http1Error, type RequestHead, type ResponseHead } from '../../http1/index.ts';
import type { Late, Lateness } from '../exchange/deadlines.ts';
import type { Host } from '../exchange/host.ts';
import type { Outcome, Plan, Redirect, Verdict } from '../exchange/plan.ts';
import { ClientSlow, clientTooLate, Times, tooLate } from '../exchange/times.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { CarriedRequest, HeaderEdits } from '../view.ts';
import { owned } from '../wire/wire.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { ExchangeOwner } from './exchange-owner.ts';
import { RequestBody } from './request-body.ts';
import { type CopyOwner, ResponseCopy } from './response-copy.ts';
import { isWhole } from './reuse.ts';
import type { H1Upstream } from './upstream-connection.ts';

type State = 'idle' | 'planning' | 'connecting' | 'waiting' | 'responding' | 'tunnel';

export class H1Exchange implements AttemptOwner, CopyOwner, Late {
  state: State = 'idle';
  requestHead!: RequestHead;
  readonly #owner: ExchangeOwner;
  readonly #plan: Plan;
  readonly #host: Host;
  readonly #outcome: Outcome = { status: 0, grpcStatus: -1, requestBytes: 0, responseBytes: 0, reason: '' };
  readonly #request: RequestBody;
  readonly #response: ResponseCopy;
  readonly #attempt: Attempt;
  readonly #times: Times;
  /** When something moved last, monotonic milliseconds. */
  #lastMs = 0;
  /** Which request it is: what its plan says late must not be taken for another's. */
  #turn = 0;
  #wait: { cancel(): void } | undefined;

  constructor(owner: ExchangeOwner, plan: Plan, host: Host) {
    this.#owner = owner;
    this.#plan = plan;
    this.#host = host;
    this.#request = new RequestBody(owner.wire, owner.brake, host.limits.waitingBytes, () => plan.tooLarge());
    this.#response = new ResponseCopy(owner.wire, this);
    this.#attempt = new Attempt(host, this);
    this.#times = new Times(host, this);
  }

  /** Something of a response has been sent. */
  get answering(): boolean {
    return this.state === 'tunnel' || (this.state === 'responding' && this.#response.sent);
  }

  /** The client reads more slowly than it is answered: nothing new is begun until it has caught up. */
  get behind(): boolean {
    return this.#response.behind;
  }

  // === The client's side ===

  /** @param head stays valid until the exchange is over. */
  begin(head: RequestHead, view: CarriedRequest): void {
    const nowMs = this.#host.now();
    this.requestHead = head;
    this.#lastMs = nowMs;
    this.#outcome.status = 0;
    this.#outcome.reason = '';
    this.#response.begin();
    this.state = 'planning';
    const verdict = this.#plan.begin(view, 'http1', nowMs);
    this.#request.begin(this.#plan.keepBytes);
    if (verdict instanceof Promise) {
      // Naming takes its share of the request's time.
      this.#times.limitTotal(this.#plan.totalMs, nowMs);
      void this.#later(verdict, this.#turn);
    } else this.#follow(verdict, nowMs);
  }

  /** Request bytes after the head, framing included: chunk[from…until), which is the client's. */
  body(chunk: Buffer, from: number, until: number): void {
    if (from === until) return;
    this.#moved();
    this.#request.take(chunk, from, until, this.#attempt.connection);
  }

  /** What was gathered leaves; to be called when the client's chunk is read to its end. */
  flush(): void {
    this.#request.flush(this.#attempt.connection);
  }

  /** Bytes of the client in a tunnel. */
  tunnelData(chunk: Buffer): void {
    const connection = this.#attempt.connection;
    if (connection === undefined) return;
    this.#request.bytes += chunk.length;
    this.#moved();
    if (!connection.wire.write(owned(this.#owner.wire, chunk))) this.#request.pauseClient();
  }

  /** The client has half-closed: in a tunnel the application hears of it. */
  clientEnded(): void {
    if (this.state === 'tunnel') this.#attempt.connection?.wire.end();
  }

  /** What was written to the client must wait for it. */
  clientBehind(): void {
    this.#response.behind = true;
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.#moved();
    this.#response.drained(this.#attempt.connection);
  }

  /** The client has gone, or is cut off: whatever is under way ends. */
  abandon(reason: string): void {
    if (this.state === 'idle') return;
    this.#outcome.reason ||= reason;
    this.#over();
  }

  /** @param nowMs called every second: nothing has moved for too long. */
  checkIdle(nowMs: number): void {
    const { idleMs } = this.#plan;
    if (this.state !== 'idle' && idleMs > 0 && nowMs - this.#lastMs >= idleMs) this.late('timeout_idle');
  }

  // === Attempts ===

  async #later(verdict: Promise<Verdict>, turn: number): Promise<void> {
    let said: Verdict;
    try {
      said = await verdict;
    } catch (error) {
      said = HttpRefusal.of(error);
    }
    if (this.#turn !== turn) return;
    this.#follow(said, this.#host.now());
    this.flush();
  }

  #follow(verdict: Verdict, nowMs: number): void {
    if (verdict !== 'forward') return this.#answer(verdict);
    this.#times.limitTotal(this.#plan.totalMs, nowMs);
    this.#try(nowMs);
  }

  #try(nowMs: number): void {
    const plan = this.#plan;
    const next = plan.next(nowMs);
    if (next instanceof HttpRefusal) return this.#answer(next);
    this.#times.limitAttempt(plan.perTryMs, nowMs);
    this.state = 'connecting';
    const ready = this.#attempt.begin(next, this.requestHead, nowMs);
    if (ready !== undefined) this.#send(ready);
  }

  connected(connection: H1Upstream): void {
    this.#send(connection);
    this.flush();
  }

  unconnected(refusal: HttpRefusal): void {
    this.#failed(refusal, true);
  }

  #send(connection: H1Upstream): void {
    this.state = 'waiting';
    this.#request.send(this.#attempt.claim(connection, this.requestHead, this.#plan), connection);
  }

  #failed(refusal: HttpRefusal, untouched: boolean): void {
    const nowMs = this.#host.now();
    const answered = this.answering;
    const next = this.#plan.failed(refusal, untouched && !answered, nowMs);
    this.#attempt.drop();
    if (answered) this.#cut(refusal);
    else if (next !== 'retry') this.#answer(next);
    // No application does better with a request that does not come.
    else if (refusal.reason === 'timeout_client') this.#answer(refusal);
    else this.#again(nowMs);
  }

  #again(nowMs: number): void {
    this.#request.drop();
    this.state = 'connecting';
    this.#times.attemptOver();
    this.#response.begin();
    const { backoffMs } = this.#plan;
    if (backoffMs <= 0) {
      this.#try(nowMs);
      return this.flush();
    }
    this.#wait = this.#host.after(backoffMs, () => {
      this.#wait = undefined;
      this.#try(this.#host.now());
      this.flush();
    });
  }

  late(reason: Lateness): void {
    const waited =
      (reason === 'timeout_idle' && (this.#response.behind || this.#awaitsClient)) ||
      (reason === 'timeout_try' && this.state === 'responding' && this.#response.behind);
    if (waited) return this.#failed(clientTooLate(), false);
    const slow = this.#clientSlow ? new ClientSlow() : undefined;
    this.#failed(tooLate(reason, this.#attempt.address, slow), false);
  }

  /** The application could not go on: it has all that came of the request, or the client does not read. */
  get #clientSlow(): boolean {
    const { state } = this;
    if (state === 'responding' && this.#response.behind) return true;
    return (state === 'waiting' || state === 'responding') && this.#awaitsClient;
  }

  #moved(): void {
    this.#lastMs = this.#host.now();
  }

  get #awaitsClient(): boolean {
    if (this.state === 'tunnel' || this.#owner.requestDone || this.#owner.brake.on) return false;
    // It may wait for leave to send (RFC 9110 §10.1.1).
    return !this.requestHead.expectContinue || this.#request.bytes > 0 || this.#response.announced;
  }

  // === The application's side ===

  responseData(connection: H1Upstream, chunk: Buffer): void {
    this.#moved();
    if (this.state === 'tunnel') return this.#response.raw(connection, chunk, 0, chunk.length);
    try {
      this.#response.data(connection, chunk);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      const message = `${this.#attempt.address}: ${messageOf(error)}`;
      this.#failed(new HttpRefusal('bad_response', message, error), false);
    }
  }

  responseEnded(connection: H1Upstream): void {
    if (this.state === 'tunnel') return this.#owner.wire.end();
    if (this.state === 'responding' && connection.parser.ended()) {
      this.#moved();
      return this.finished(connection, true);
    }
    this.#broke(connection, 'the application closed the connection');
  }

  requestDrained(connection: H1Upstream): void {
    this.#request.drained(connection);
  }

  connectionClosed(connection: H1Upstream, clean: boolean): void {
    if (this.state !== 'tunnel') return this.#broke(connection, 'the connection to the application broke');
    this.#over();
    // What the application said last may still be on its way to the client.
    if (clean) this.#owner.tunnelEnded();
    else this.#owner.cut();
  }

  #broke(connection: H1Upstream, message: string): void {
    const attempt = this.#attempt;
    const { bytes } = this.#request;
    const crossed = this.state === 'waiting' && attempt.crossed(connection, this.requestHead, bytes);
    this.#failed(new HttpRefusal('upstream_reset', `${attempt.address}: ${message}`), crossed);
  }

  // === The response's copy ===

  get persistent(): boolean {
    return this.#owner.persistent && this.#owner.requestDone && !this.#host.draining;
  }

  get responseEdits(): HeaderEdits | undefined {
    return this.#plan.responseEdits;
  }

  wanted(head: ResponseHead, marked: boolean): boolean {
    if (this.#plan.responded(head.status, -1, marked, this.#lastMs) === 'retry') return false;
    if (!this.#plan.perTryWhole) this.#times.attemptOver();
    this.#request.commit();
    this.state = 'responding';
    this.#outcome.status = head.status;
    return true;
  }

  unwanted(connection: H1Upstream, chunk: Buffer, at: number): void {
    this.#response.free(connection);
    // Read away if it is here already, else the connection goes.
    this.#giveBack(connection, isWhole(connection.parser, chunk, at));
    this.#again(this.#lastMs);
  }

  switched(connection: H1Upstream, chunk: Buffer, at: number): void {
    const { head } = connection.parser;
    this.#plan.responded(101, -1, false, this.#lastMs);
    this.#outcome.status = 101;
    this.#times.over();
    this.flush();
    this.#request.commit();
    this.state = 'tunnel';
    if (!this.#owner.wire.writeText(forwardResponse(head, this.#plan.responseEdits, '')))
      this.#response.behind = true;
    // The client's end may have been found out by writing to it.
    if (!this.carries(connection)) return;
    this.#response.raw(connection, chunk, at, chunk.length);
    this.#owner.becomeTunnel();
  }

  carries(connection: H1Upstream): boolean {
    return this.#attempt.connection === connection;
  }

  finished(connection: H1Upstream, clean: boolean): void {
    // What its head has promised holds, also when the proxy drains by now.
    const persistent = this.#owner.persistent && this.#response.keeps;
    this.#giveBack(connection, clean);
    this.#over();
    this.#owner.responded(persistent);
  }

  /** @param clean the response was read to its end, and nothing came after it. */
  #giveBack(connection: H1Upstream, clean: boolean): void {
    const sent = this.#owner.requestDone && this.#request.flushed;
    this.#attempt.giveBack(connection, clean && sent, this.requestHead, this.#lastMs);
  }

  // === Ends ===

  #answer(answer: HttpRefusal | Redirect): void {
    if (answer instanceof HttpRefusal) this.#outcome.reason = answer.reason;
    const { persistent } = this;
    this.#outcome.status = this.#owner.answer(answer);
    // By writing it was found out that the client is gone: then it is over.
    if (this.state === 'idle') return;
    this.#over();
    this.#owner.responded(persistent);
  }

  /** Something was answered already: the client must see that it broke, not that it ended. */
  #cut(refusal: HttpRefusal): void {
    this.#outcome.reason = refusal.reason;
    this.#over();
    this.#owner.cut();
  }

  #over(): void {
    this.#times.over();
    this.#wait?.cancel();
    this.#wait = undefined;
    this.#attempt.over();
    this.#turn += 1;
    this.state = 'idle';
    this.#outcome.requestBytes = this.#request.bytes;
    this.#outcome.responseBytes = this.#response.bytes;
    this.#request.over();
    this.#plan.end(this.#outcome, this.#host.now());
  }
}
