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
import {
  forwardRequest,
  forwardResponse,
  Http1Error,
  type RequestHead,
  type ResponseHead,
} from '../../http1/index.ts';
import type { Host } from '../exchange/host.ts';
import type { Outcome, Plan, Redirect, Upstream, Verdict } from '../exchange/plan.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { CarriedRequest, HeaderEdits } from '../view.ts';
import { owned } from '../wire/wire.ts';
import type { ExchangeOwner } from './exchange-owner.ts';
import { HostEdit } from './host-edit.ts';
import { RequestBody } from './request-body.ts';
import { type CopyOwner, ResponseCopy } from './response-copy.ts';
import { isReusable, isWhole, mayHaveCrossed, takeIdle } from './reuse.ts';
import { type Lateness, Times } from './times.ts';
import type { H1Upstream, ResponseReader } from './upstream-connection.ts';

type State = 'idle' | 'planning' | 'connecting' | 'waiting' | 'responding' | 'tunnel';

export class H1Exchange implements ResponseReader, CopyOwner {
  state: State = 'idle';
  requestHead!: RequestHead;
  readonly #owner: ExchangeOwner;
  readonly #plan: Plan;
  readonly #host: Host;
  readonly #outcome: Outcome = { status: 0, grpcStatus: -1, requestBytes: 0, responseBytes: 0, reason: '' };
  readonly #request: RequestBody;
  readonly #response: ResponseCopy;
  readonly #hostEdit = new HostEdit();
  readonly #times: Times;
  #upstream: Upstream | undefined;
  #connection: H1Upstream | undefined;
  /** The attempt's own mark, so that what comes late for an earlier one is not taken for this one's. */
  #attempt = 0;
  #wait: { cancel(): void } | undefined;
  /** The next attempt must not be sent on a connection that has waited. */
  #anew = false;

  constructor(owner: ExchangeOwner, plan: Plan, host: Host) {
    this.#owner = owner;
    this.#plan = plan;
    this.#host = host;
    this.#request = new RequestBody(owner.wire, owner.brake, host.limits.waitingBytes, () => plan.tooLarge());
    this.#response = new ResponseCopy(owner.wire, this);
    this.#times = new Times(host, reason => this.#late(reason));
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
    this.#times.lastMs = nowMs;
    this.#outcome.status = 0;
    this.#outcome.reason = '';
    this.#anew = false;
    this.#response.begin();
    this.state = 'planning';
    const verdict = this.#plan.begin(view, 'http1', nowMs);
    this.#request.begin(this.#plan.keepBytes);
    if (verdict instanceof Promise) {
      this.#attempt += 1;
      // Naming takes its share of the request's time.
      this.#times.limitTotal(this.#plan.totalMs, nowMs);
      void this.#later(verdict, this.#attempt);
    } else this.#follow(verdict, nowMs);
  }

  /** Request bytes after the head, framing included: chunk[from…until), which is the client's. */
  body(chunk: Buffer, from: number, until: number): void {
    if (from === until) return;
    this.#times.moved();
    this.#request.take(chunk, from, until, this.#connection);
  }

  /** What was gathered leaves; to be called when the client's chunk is read to its end. */
  flush(): void {
    this.#request.flush(this.#connection);
  }

  /** Bytes of the client in a tunnel. */
  tunnelData(chunk: Buffer): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#request.bytes += chunk.length;
    this.#times.moved();
    if (!connection.wire.write(owned(this.#owner.wire, chunk))) this.#request.pauseClient();
  }

  /** The client has half-closed: in a tunnel the application hears of it. */
  clientEnded(): void {
    if (this.state === 'tunnel') this.#connection?.wire.end();
  }

  /** What was written to the client must wait for it. */
  clientBehind(): void {
    this.#response.behind = true;
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.#times.moved();
    this.#response.drained(this.#connection);
  }

  /** The client has gone, or is cut off: whatever is under way ends. */
  abandon(reason: string): void {
    if (this.state === 'idle') return;
    this.#outcome.reason ||= reason;
    this.#connection?.destroy();
    this.#over();
  }

  /** @param nowMs called every second: nothing has moved for too long. */
  checkIdle(nowMs: number): void {
    if (this.state !== 'idle' && this.#times.isIdle(nowMs, this.#plan.idleMs)) this.#late('timeout_idle');
  }

  // === Attempts ===

  async #later(verdict: Promise<Verdict>, attempt: number): Promise<void> {
    let said: Verdict;
    try {
      said = await verdict;
    } catch (error) {
      said = HttpRefusal.of(error);
    }
    if (this.#attempt !== attempt || this.state !== 'planning') return;
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
    this.#upstream = next;
    this.#attempt += 1;
    this.#times.limitAttempt(plan.perTryMs, nowMs);
    const ready = this.#anew ? undefined : takeIdle(next, nowMs, this.requestHead);
    if (ready !== undefined) return this.#send(ready);
    this.state = 'connecting';
    void this.#connect(next, this.#attempt);
  }

  async #connect(upstream: Upstream, attempt: number): Promise<void> {
    let connection: H1Upstream;
    try {
      connection = await upstream.connectH1();
    } catch (error) {
      if (this.#attempt === attempt && this.state === 'connecting') this.#failed(HttpRefusal.of(error), true);
      return;
    }
    // Nobody waits any more; somebody may soon.
    if (this.#attempt !== attempt || this.state !== 'connecting') return connection.release(this.#host.now());
    if (connection.closed) {
      const { address } = upstream;
      return this.#failed(
        new HttpRefusal('upstream_reset', `${address} closed the connection at once`),
        true,
      );
    }
    this.#send(connection);
    this.flush();
  }

  #send(connection: H1Upstream): void {
    const head = this.requestHead;
    const plan = this.#plan;
    this.#connection = connection;
    this.state = 'waiting';
    connection.claim(this);
    connection.parser.expect(head.method, head.upgrade);
    const edits = this.#hostEdit.of(plan.authority, plan.requestEdits);
    const text = forwardRequest(head, head.method, plan.path, edits, true, plan.ownLines);
    // A client of HTTP/1.0 could not read chunks: the server must not send any.
    this.#request.send(head.minor === 1 ? text : text.replace(' HTTP/1.1\r\n', ' HTTP/1.0\r\n'), connection);
  }

  #failed(refusal: HttpRefusal, untouched: boolean): void {
    const nowMs = this.#host.now();
    const answered = this.answering;
    const next = this.#plan.failed(refusal, untouched && !answered, nowMs);
    this.#connection?.destroy();
    this.#connection = undefined;
    if (answered) this.#cut(refusal);
    else if (next === 'retry') this.#again(nowMs);
    else this.#answer(next);
  }

  #again(nowMs: number): void {
    this.#request.drop();
    this.#attempt += 1;
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

  #late(reason: Lateness): void {
    if (this.state === 'idle') return;
    // Nothing moves where the client neither sends nor reads: that is not the application's fault.
    const waited = reason === 'timeout_idle' && (this.#response.behind || this.#awaitsClient);
    const refusal = waited
      ? new HttpRefusal('timeout_client', 'the client did not go on in time')
      : new HttpRefusal(reason, `${this.#upstream?.address ?? ''} did not answer in time`);
    this.#failed(refusal, false);
  }

  get #awaitsClient(): boolean {
    return this.state !== 'tunnel' && !this.#owner.requestDone && !this.#owner.brake.on;
  }

  // === The application's side ===

  responseData(chunk: Buffer): void {
    const connection = this.#connection as H1Upstream;
    this.#times.moved();
    if (this.state === 'tunnel') return this.#response.raw(connection, chunk, 0, chunk.length);
    try {
      this.#response.data(connection, chunk);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      const where = this.#upstream?.address ?? '';
      this.#failed(new HttpRefusal('bad_response', `${where}: ${messageOf(error)}`, error), false);
    }
  }

  responseEnded(): void {
    const connection = this.#connection as H1Upstream;
    if (this.state === 'tunnel') return this.#owner.wire.end();
    if (this.state === 'responding' && connection.parser.ended()) {
      this.#times.moved();
      return this.finished(connection, true);
    }
    this.#broke('the application closed the connection');
  }

  requestDrained(): void {
    this.#request.resumeClient();
  }

  connectionClosed(clean: boolean): void {
    if (this.state !== 'tunnel') return this.#broke('the connection to the application broke');
    this.#connection = undefined;
    this.#over();
    // What the application said last may still be on its way to the client.
    if (clean) this.#owner.tunnelEnded();
    else this.#owner.cut();
  }

  #broke(message: string): void {
    const connection = this.#connection as H1Upstream;
    const crossed =
      this.state === 'waiting' && mayHaveCrossed(connection, this.requestHead, this.#request.bytes);
    this.#anew ||= crossed;
    const where = this.#upstream?.address ?? '';
    this.#failed(new HttpRefusal('upstream_reset', `${where}: ${message}`), crossed);
  }

  // === The response's copy ===

  get persistent(): boolean {
    return this.#owner.persistent && this.#owner.requestDone;
  }

  get responseEdits(): HeaderEdits | undefined {
    return this.#plan.responseEdits;
  }

  wanted(head: ResponseHead, marked: boolean): boolean {
    if (this.#plan.responded(head.status, -1, marked, this.#times.lastMs) === 'retry') return false;
    this.#times.attemptOver();
    this.#request.commit();
    this.state = 'responding';
    this.#outcome.status = head.status;
    return true;
  }

  unwanted(connection: H1Upstream, chunk: Buffer, at: number): void {
    this.#connection = undefined;
    this.#response.free(connection);
    // Read away if it is here already, else the connection goes.
    const clean = isWhole(connection.parser, chunk, at);
    this.#giveBack(connection, clean);
    this.#again(this.#times.lastMs);
  }

  switched(connection: H1Upstream, chunk: Buffer, at: number): void {
    const { head } = connection.parser;
    this.#plan.responded(101, -1, false, this.#times.lastMs);
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
    return this.#connection === connection;
  }

  finished(connection: H1Upstream, clean: boolean): void {
    const persistent = this.persistent && this.#response.keeps;
    this.#connection = undefined;
    this.#giveBack(connection, clean);
    this.#over();
    this.#owner.responded(persistent);
  }

  #giveBack(connection: H1Upstream, clean: boolean): void {
    const sent = this.#owner.requestDone && this.#request.flushed;
    if (!clean || !sent || !isReusable(connection, this.requestHead)) return connection.destroy();
    connection.parser.next();
    connection.release(this.#times.lastMs);
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
    this.#attempt += 1;
    this.state = 'idle';
    this.#connection = this.#upstream = undefined;
    this.#outcome.requestBytes = this.#request.bytes;
    this.#outcome.responseBytes = this.#response.bytes;
    this.#request.over();
    this.#plan.end(this.#outcome, this.#host.now());
  }
}
