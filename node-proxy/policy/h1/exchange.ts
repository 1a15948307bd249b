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
  canPassAsIs,
  forwardRequest,
  forwardResponse,
  HAS_RESERVED,
  Http1Error,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from '../../http1/index.ts';
import { Deadline, type Deadlines } from '../exchange/deadlines.ts';
import type { Outcome, Plan, Redirect, Upstream, Verdict } from '../exchange/plan.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { CarriedRequest } from '../view.ts';
import { owned, type Wire } from '../wire/wire.ts';
import type { H1Upstream, ResponseReader } from './upstream-connection.ts';

/** The client's connection, as its exchange needs it. */
export interface ExchangeOwner {
  readonly wire: Wire;
  /** Whether the client's connection can carry another request after this one. */
  readonly persistent: boolean;
  /** The request has been read to its end. */
  readonly requestDone: boolean;
  /** Answers itself; the exchange is over. */
  answer(answer: HttpRefusal | Redirect): number;
  /** The response was written. @param persistent another request may follow. */
  responded(persistent: boolean): void;
  /** Both directions are plain bytes from now on. */
  becomeTunnel(): void;
  /** Nothing sensible can be said any more. */
  cut(): void;
}

export interface ExchangeHost {
  deadlines: Deadlines;
  now(): number;
  after(ms: number, act: () => void): { cancel(): void };
  waitingBytes: number;
}

type State = 'idle' | 'planning' | 'connecting' | 'waiting' | 'responding' | 'tunnel';

/** Requests that may be repeated without asking: what was sent on a connection that had just been closed by the server. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Others use a waiting connection only if it was used a moment ago: servers close them after some seconds. */
const FRESH_MS = 1_000;
/** Text and body that leave as one. */
const JOINED_BYTES = 16 * 1024;

export class H1Exchange implements ResponseReader {
  state: State = 'idle';
  readonly #owner: ExchangeOwner;
  readonly #plan: Plan;
  readonly #host: ExchangeHost;
  readonly #outcome: Outcome = { status: 0, grpcStatus: -1, requestBytes: 0, responseBytes: 0, reason: '' };
  #head!: RequestHead;
  #upstream: Upstream | undefined;
  #connection: H1Upstream | undefined;
  /** Head and first bytes that leave together at the end of the turn's input. */
  #text = '';
  /** Body bytes kept: for the connection that is being made, or for another attempt. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #keeping = false;
  /** The attempt's own mark, so that what comes late for an earlier one is not taken for this one's. */
  #attempt = 0;
  #pausedClient = false;
  #pausedUpstream = false;
  #lastMs = 0;
  #wait: { cancel(): void } | undefined;
  readonly #total: Deadline;
  readonly #perTry: Deadline;

  constructor(owner: ExchangeOwner, plan: Plan, host: ExchangeHost) {
    this.#owner = owner;
    this.#plan = plan;
    this.#host = host;
    this.#total = new Deadline(() => this.#late('timeout_total'));
    this.#perTry = new Deadline(() => this.#late('timeout_try'));
  }

  /** @param head stays valid until the exchange is over. */
  begin(head: RequestHead, view: CarriedRequest): void {
    const nowMs = this.#host.now();
    this.#head = head;
    this.#lastMs = nowMs;
    const outcome = this.#outcome;
    outcome.status = 0;
    outcome.requestBytes = outcome.responseBytes = 0;
    outcome.reason = '';
    this.state = 'planning';
    const plan = this.#plan;
    const verdict = plan.begin(view, 'http1', nowMs);
    this.#keeping = plan.keepBytes >= 0;
    if (verdict instanceof Promise) {
      this.#attempt += 1;
      void this.#later(verdict, this.#attempt);
      return;
    }
    this.#follow(verdict, nowMs);
  }

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
    const { totalMs } = this.#plan;
    if (totalMs > 0) this.#host.deadlines.set(this.#total, totalMs, nowMs);
    this.#try(nowMs);
  }

  #try(nowMs: number): void {
    const plan = this.#plan;
    const next = plan.next(nowMs);
    if (next instanceof HttpRefusal) return this.#answer(next);
    this.#upstream = next;
    this.#attempt += 1;
    if (plan.perTryMs > 0) this.#host.deadlines.set(this.#perTry, plan.perTryMs, nowMs);
    const ready = takeIdle(next, nowMs, IDEMPOTENT.has(this.#head.method));
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
    if (this.#attempt !== attempt || this.state !== 'connecting') {
      // Nobody waits any more; somebody may soon.
      connection.release(this.#host.now());
      return;
    }
    this.#send(connection);
    this.flush();
    this.#resumeClient();
  }

  #send(connection: H1Upstream): void {
    const head = this.#head;
    const plan = this.#plan;
    this.#connection = connection;
    this.state = 'waiting';
    connection.claim(this);
    connection.parser.expect(head.method);
    const text = forwardRequest(head, head.method, plan.path, plan.requestEdits, true, plan.ownLines);
    // A client of HTTP/1.0 could not read chunks: the server must not send any.
    this.#text = head.minor === 1 ? text : text.replace(' HTTP/1.1\r\n', ' HTTP/1.0\r\n');
    if (this.#kept.length > 0) {
      connection.wire.cork();
      this.flush();
      for (const chunk of this.#kept) connection.wire.write(chunk);
      connection.wire.uncork();
      if (!this.#keeping) this.#forget();
    }
  }

  /** Request bytes after the head, framing included: chunk[from…to), which is the caller's. */
  body(chunk: Buffer, from: number, to: number): void {
    const bytes = to - from;
    if (bytes === 0) return;
    this.#outcome.requestBytes += bytes;
    const connection = this.#connection;
    const sending = connection !== undefined && (this.state === 'waiting' || this.state === 'responding');
    if (this.#keeping || !sending) this.#keep(chunk, from, to, sending);
    if (!sending) return;
    if (this.#text !== '' && this.#text.length + bytes <= JOINED_BYTES) {
      this.#text += chunk.toString('latin1', from, to);
      return;
    }
    this.flush();
    if (!connection.wire.write(owned(this.#owner.wire, chunk.subarray(from, to)))) this.#pauseClient();
  }

  #keep(chunk: Buffer, from: number, to: number, sending: boolean): void {
    const { keepBytes } = this.#plan;
    this.#keptBytes += to - from;
    if (this.#keeping && this.#keptBytes > keepBytes) {
      this.#keeping = false;
      this.#plan.tooLarge();
      if (sending) {
        this.#forget();
        return;
      }
    }
    this.#kept.push(Buffer.from(chunk.subarray(from, to)));
    if (!sending && this.#keptBytes > this.#host.waitingBytes / 4) this.#pauseClient();
  }

  /** What was gathered leaves; to be called when the client's chunk is read to its end. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (this.#connection?.wire.writeText(text) === false) this.#pauseClient();
  }

  /** Bytes of the client in a tunnel. */
  tunnelData(chunk: Buffer): void {
    if (this.#connection === undefined) return;
    this.#outcome.requestBytes += chunk.length;
    this.#lastMs = this.#host.now();
    if (!this.#connection.wire.write(owned(this.#owner.wire, chunk))) this.#pauseClient();
  }

  /** The client has half-closed: in a tunnel the application hears of it. */
  clientEnded(): void {
    if (this.state === 'tunnel') this.#connection?.wire.end();
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    if (!this.#pausedUpstream) return;
    this.#pausedUpstream = false;
    this.#connection?.wire.resume();
  }

  /** The client has gone, or is cut off: whatever is under way ends. */
  abandon(reason: string): void {
    if (this.state === 'idle') return;
    this.#outcome.reason = this.#outcome.reason || reason;
    this.#connection?.destroy();
    this.#over();
  }

  /** @param nowMs called every second: nothing has moved for too long. */
  checkIdle(nowMs: number): void {
    const { idleMs } = this.#plan;
    if (this.state === 'idle' || idleMs === 0 || nowMs - this.#lastMs < idleMs) return;
    this.#late('timeout_idle');
  }

  responseData(chunk: Buffer): void {
    const connection = this.#connection as H1Upstream;
    this.#lastMs = this.#host.now();
    if (this.state === 'tunnel') return this.#fromApplication(chunk, 0, chunk.length);
    let at = 0;
    try {
      if (this.state === 'waiting') {
        at = this.#readHead(connection, chunk);
        if (at < 0) return;
      }
      if (this.state === 'responding') this.#responseBody(connection, chunk, at);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.#nonsense(error);
    }
  }

  /** @returns where the body begins, or -1: nothing to read (any more). */
  #readHead(connection: H1Upstream, chunk: Buffer): number {
    const { parser } = connection;
    let start = 0;
    for (;;) {
      const at = parser.readHead(chunk, start);
      if (at < 0) return -1;
      const head: ResponseHead = parser.head;
      if (head.status >= 200) return this.#respond(connection, chunk, start, at);
      if (head.status === 101) {
        this.#switchProtocols(connection, chunk, at);
        return -1;
      }
      // Only clients of HTTP/1.1 know what an interim response is (RFC 9110 §15.2).
      if (this.#head.minor === 1) this.#owner.wire.writeText(head.text);
      parser.next();
      parser.expect(this.#head.method);
      start = at;
      if (start === chunk.length) return -1;
    }
  }

  /** @returns where the body begins, or -1 when another attempt is made. */
  #respond(connection: H1Upstream, chunk: Buffer, start: number, at: number): number {
    const { parser } = connection;
    const { head } = parser;
    const plan = this.#plan;
    const nowMs = this.#lastMs;
    const marked = head.has(HAS_RESERVED) && head.header('l5d-retryable') === 'true';
    if (plan.responded(head.status, -1, marked, nowMs) === 'retry') {
      this.#discard(connection, chunk, at, nowMs);
      this.#again(nowMs);
      return -1;
    }
    this.#perTry.cancel();
    this.#keeping = false;
    this.#forget();
    this.state = 'responding';
    this.#outcome.status = head.status;
    const client = this.#head;
    const asIs =
      client.minor === 1 &&
      this.#owner.persistent &&
      plan.responseEdits === undefined &&
      head.framing !== UNTIL_CLOSE &&
      canPassAsIs(head);
    if (asIs && chunk.length - start <= JOINED_BYTES) {
      const end = parser.readBody(chunk, at);
      this.#outcome.responseBytes += end - at;
      if (!this.#owner.wire.writeText(chunk.toString('latin1', start, end))) this.#pauseUpstream();
      if (parser.done) this.#finish(connection, end === chunk.length);
      return -1;
    }
    const text = asIs ? head.text : this.#responseText(head);
    this.#owner.wire.cork();
    this.#owner.wire.writeText(text);
    this.#responseBody(connection, chunk, at);
    this.#owner.wire.uncork();
    return -1;
  }

  #responseText(head: ResponseHead): string {
    const persistent = this.#owner.persistent && head.framing !== UNTIL_CLOSE;
    const own = persistent
      ? this.#head.minor === 1
        ? ''
        : 'connection: keep-alive\r\n'
      : 'connection: close\r\n';
    return forwardResponse(head, this.#plan.responseEdits, own);
  }

  #responseBody(connection: H1Upstream, chunk: Buffer, at: number): void {
    const { parser } = connection;
    const end = parser.readBody(chunk, at);
    this.#fromApplication(chunk, at, end);
    if (parser.done) this.#finish(connection, end === chunk.length);
  }

  #fromApplication(chunk: Buffer, from: number, to: number): void {
    if (to === from) return;
    this.#outcome.responseBytes += to - from;
    const connection = this.#connection as H1Upstream;
    if (!this.#owner.wire.write(owned(connection.wire, chunk.subarray(from, to)))) this.#pauseUpstream();
  }

  /** @param clean nothing came after the response. */
  #finish(connection: H1Upstream, clean: boolean): void {
    const { parser } = connection;
    const { keepAlive, framing } = parser.head;
    const nowMs = this.#lastMs;
    const { requestDone, persistent } = this.#owner;
    const reusable = clean && keepAlive && requestDone && this.#text === '' && this.#head.minor === 1;
    parser.next();
    this.#connection = undefined;
    this.#clientMayGoOn(connection);
    if (reusable) connection.release(nowMs);
    else connection.destroy();
    this.#over();
    this.#owner.responded(persistent && requestDone && framing !== UNTIL_CLOSE);
  }

  #switchProtocols(connection: H1Upstream, chunk: Buffer, at: number): void {
    const { head } = connection.parser;
    if (this.#head.upgrade === '')
      throw new Http1Error('response', 'unexpected_upgrade', 'nobody asked for it');
    this.#plan.responded(101, -1, false, this.#lastMs);
    this.#outcome.status = 101;
    this.#total.cancel();
    this.#perTry.cancel();
    this.#forget();
    this.flush();
    this.state = 'tunnel';
    this.#owner.wire.writeText(forwardResponse(head, this.#plan.responseEdits, ''));
    this.#fromApplication(chunk, at, chunk.length);
    this.#owner.becomeTunnel();
  }

  /** What is left of a response that nobody is to see: read away if it is here already, else the connection goes. */
  #discard(connection: H1Upstream, chunk: Buffer, at: number, nowMs: number): void {
    const { parser } = connection;
    this.#connection = undefined;
    const end = parser.readBody(chunk, at);
    const { keepAlive, framing } = parser.head;
    const good = parser.done && end === chunk.length && keepAlive && framing !== UNTIL_CLOSE;
    if (good && this.#owner.requestDone && this.#text === '') {
      parser.next();
      connection.release(nowMs);
    } else connection.destroy();
  }

  responseEnded(): void {
    const connection = this.#connection as H1Upstream;
    if (this.state === 'tunnel') return this.#owner.wire.end();
    if (this.state === 'responding' && connection.parser.ended()) {
      this.#lastMs = this.#host.now();
      return this.#finish(connection, true);
    }
    this.#broke('the application closed the connection');
  }

  requestDrained(): void {
    this.#resumeClient();
  }

  connectionClosed(): void {
    if (this.state === 'tunnel') {
      this.#connection = undefined;
      this.#over();
      return this.#owner.cut();
    }
    this.#broke('the connection to the application broke');
  }

  #broke(message: string): void {
    const connection = this.#connection as H1Upstream;
    // A server may close a connection that waits at any time: the request and the close crossed.
    const crossed = connection.uses > 1 && !connection.parser.started && IDEMPOTENT.has(this.#head.method);
    const where = this.#upstream?.address ?? '';
    this.#failed(new HttpRefusal('upstream_reset', `${where}: ${message}`), crossed);
  }

  #nonsense(error: Http1Error): void {
    const where = this.#upstream?.address ?? '';
    this.#failed(new HttpRefusal('bad_response', `${where}: ${messageOf(error)}`, error), false);
  }

  #late(reason: 'timeout_total' | 'timeout_try' | 'timeout_idle'): void {
    if (this.state === 'idle') return;
    const refusal = new HttpRefusal(reason, `${this.#upstream?.address ?? ''} did not answer in time`);
    if (reason !== 'timeout_try') {
      this.#plan.failed(refusal, false, this.#host.now());
      return this.#give(refusal);
    }
    this.#failed(refusal, false);
  }

  #failed(refusal: HttpRefusal, untouched: boolean): void {
    const nowMs = this.#host.now();
    if (this.state === 'responding' || this.state === 'tunnel') {
      this.#plan.failed(refusal, false, nowMs);
      return this.#give(refusal);
    }
    const next = this.#plan.failed(refusal, untouched, nowMs);
    this.#connection?.destroy();
    this.#connection = undefined;
    if (next === 'retry') this.#again(nowMs);
    else this.#give(next);
  }

  #again(nowMs: number): void {
    this.#text = '';
    this.#attempt += 1;
    const { backoffMs } = this.#plan;
    this.state = 'connecting';
    this.#perTry.cancel();
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

  /** Answers with the refusal if nothing was answered yet, else the client must see that something broke. */
  #give(refusal: HttpRefusal): void {
    const answered = this.state === 'responding' || this.state === 'tunnel';
    this.#connection?.destroy();
    this.#connection = undefined;
    if (!answered) return this.#answer(refusal);
    this.#outcome.reason = refusal.reason;
    this.#over();
    this.#owner.cut();
  }

  #answer(answer: HttpRefusal | Redirect): void {
    if (answer instanceof HttpRefusal) this.#outcome.reason = answer.reason;
    this.#outcome.status = this.#owner.answer(answer);
    const persistent = this.#owner.persistent && this.#owner.requestDone;
    this.#over();
    this.#owner.responded(persistent);
  }

  #over(): void {
    this.#total.cancel();
    this.#perTry.cancel();
    this.#wait?.cancel();
    this.#wait = undefined;
    this.#attempt += 1;
    this.state = 'idle';
    this.#connection = undefined;
    this.#upstream = undefined;
    this.#text = '';
    this.#keeping = false;
    this.#forget();
    this.#pausedUpstream = false;
    this.#plan.end(this.#outcome, this.#host.now());
    this.#resumeClient();
  }

  #forget(): void {
    if (this.#keptBytes === 0) return;
    this.#kept = [];
    this.#keptBytes = 0;
  }

  #pauseClient(): void {
    if (this.#pausedClient) return;
    this.#pausedClient = true;
    this.#owner.wire.pause();
  }

  #resumeClient(): void {
    if (!this.#pausedClient) return;
    this.#pausedClient = false;
    this.#owner.wire.resume();
  }

  #pauseUpstream(): void {
    if (this.#pausedUpstream) return;
    this.#pausedUpstream = true;
    this.#connection?.wire.pause();
  }

  /** A connection that goes back to the others must not stay paused. */
  #clientMayGoOn(connection: H1Upstream): void {
    if (!this.#pausedUpstream) return;
    this.#pausedUpstream = false;
    connection.wire.resume();
  }
}

function takeIdle(upstream: Upstream, nowMs: number, any: boolean): H1Upstream | undefined {
  const { idle } = upstream;
  const last = idle[idle.length - 1];
  if (last === undefined || (!any && nowMs - last.idleSinceMs > FRESH_MS)) return undefined;
  idle.pop();
  return last;
}
