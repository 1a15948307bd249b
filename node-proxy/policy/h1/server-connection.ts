/**
 * A client's HTTP/1.1 connection: reads requests one after another, gives each to the exchange, and holds back what
 * was pipelined until the one before is answered. Anything ambiguous is answered 400 and the connection closed.
 */

import {
  HAS_RESERVED,
  Http1Error,
  type RequestHead,
  RequestParser,
  simpleResponse,
  withoutBody,
} from '../../http1/index.ts';
import type { Plan, Redirect } from '../exchange/plan.ts';
import { HttpRefusal, replyTo } from '../reply/index.ts';
import type { CarriedRequest } from '../view.ts';
import type { Wire, WireEvents } from '../wire/wire.ts';
import { type ExchangeHost, type ExchangeOwner, H1Exchange } from './exchange.ts';

export interface ServerHost extends ExchangeHost {
  headMs: number;
  clientIdleMs: number;
  lingerMs: number;
  /** The proxy is shutting down: each response ends its connection. */
  readonly draining: boolean;
}

export interface ServerEvents {
  /** The host of requests that name none, which HTTP/1.0 allows (RFC 9110 §7.1). */
  destination: string;
  /** Not a request: refused before there was a plan. */
  onNonsense(error: Http1Error): void;
  /** Once. */
  onClosed(): void;
}

/** Closing: the last response is under way, what still comes is thrown away. */
type State = 'open' | 'tunnel' | 'closing' | 'closed';

export class H1Server implements WireEvents, ExchangeOwner, CarriedRequest {
  readonly wire: Wire;
  readonly #host: ServerHost;
  readonly #events: ServerEvents;
  readonly #parser = new RequestParser();
  readonly #head: RequestHead;
  readonly #exchange: H1Exchange;
  #state: State = 'open';
  #pipelined: Buffer | undefined;
  #reading = false;
  #clientEnded = false;
  /** Monotonic time since when a head is awaited; 0 while a request is under way. */
  #idleSinceMs: number;
  #headSinceMs = 0;

  constructor(wire: Wire, plan: Plan, host: ServerHost, events: ServerEvents) {
    this.wire = wire;
    this.#host = host;
    this.#events = events;
    this.#head = this.#parser.head;
    this.#exchange = new H1Exchange(this, plan, host);
    this.#idleSinceMs = host.now();
  }

  // === RequestView: of the request under way ===

  get method(): string {
    return this.#head.method;
  }
  get path(): string {
    return this.#head.target;
  }
  get authority(): string {
    return this.#head.host;
  }
  get reserved(): boolean {
    return this.#head.has(HAS_RESERVED);
  }
  header(name: string): string | undefined {
    return this.#head.header(name);
  }

  // === The wire ===

  onData(chunk: Buffer): void {
    if (this.#state === 'tunnel') return this.#exchange.tunnelData(chunk);
    if (this.#state !== 'open') return;
    if (this.#pipelined !== undefined || this.#reading) return this.#hold(chunk, 0);
    this.#read(chunk);
  }

  onEnd(): void {
    this.#clientEnded = true;
    if (this.#state === 'tunnel') return this.#exchange.clientEnded();
    if (this.#state === 'closing') return;
    // A client that half-closes after its request still wants the answer; within one it has given up.
    if (this.#exchange.state === 'idle' && this.#pipelined === undefined) return this.#close();
    if (!this.#parser.done) this.cut();
  }

  onDrain(): void {
    this.#exchange.clientDrained();
  }

  onClosed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#pipelined = undefined;
    this.#exchange.abandon('client_gone');
    this.#events.onClosed();
  }

  /** To be called every second. */
  check(nowMs: number): void {
    const { headMs, clientIdleMs, lingerMs } = this.#host;
    if (this.#exchange.state !== 'idle') return this.#exchange.checkIdle(nowMs);
    if (this.#state === 'closing') {
      if (nowMs - this.#idleSinceMs > lingerMs) this.cut();
      return;
    }
    if (!this.#parser.started) this.#headSinceMs = 0;
    else if (this.#headSinceMs === 0) this.#headSinceMs = nowMs;
    else if (nowMs - this.#headSinceMs > headMs)
      return this.#refuse(new HttpRefusal('timeout_head', 'the head of a request did not come in time'));
    if (this.#host.draining && !this.#parser.started) return this.#close();
    if (nowMs - this.#idleSinceMs > clientIdleMs) this.#close();
  }

  /** Ends it at once, whatever is under way. */
  breakOff(reason: string): void {
    if (this.#state === 'closed') return;
    this.#exchange.abandon(reason);
    this.cut();
  }

  // === The exchange's owner ===

  get persistent(): boolean {
    return this.#head.keepAlive && !this.#clientEnded && !this.#host.draining;
  }

  get requestDone(): boolean {
    return this.#parser.done;
  }

  answer(answer: HttpRefusal | Redirect): number {
    const close = !this.persistent || !this.requestDone;
    const { status, fields, body } = replyTo(answer, false);
    const text = simpleResponse(status, fields, body, close);
    this.wire.writeText(this.#head.method === 'HEAD' ? withoutBody(text) : text);
    return status;
  }

  responded(persistent: boolean): void {
    const nowMs = this.#host.now();
    this.#idleSinceMs = nowMs;
    if (!persistent) return this.#close();
    this.#parser.next();
    // Further down the stack somebody may still be reading a chunk: it goes on by itself.
    if (this.#reading || this.#pipelined === undefined) return;
    const chunk = this.#pipelined;
    this.#pipelined = undefined;
    queueMicrotask(() => {
      if (this.#state !== 'open') return;
      this.#read(chunk);
      if (this.#pipelined === undefined) this.wire.resume();
    });
  }

  becomeTunnel(): void {
    this.#state = 'tunnel';
    const early = this.#pipelined;
    this.#pipelined = undefined;
    if (early !== undefined) this.#exchange.tunnelData(early);
    this.wire.resume();
    if (this.#clientEnded) this.#exchange.clientEnded();
  }

  cut(): void {
    this.wire.reset();
    this.onClosed();
  }

  #read(chunk: Buffer): void {
    this.#reading = true;
    try {
      this.#requests(chunk);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.#nonsense(error);
    } finally {
      this.#reading = false;
    }
  }

  #requests(chunk: Buffer): void {
    const parser = this.#parser;
    const exchange = this.#exchange;
    let at = 0;
    while (at < chunk.length && this.#state === 'open') {
      if (exchange.state === 'idle') {
        const after = parser.readHead(chunk, at);
        if (after < 0) return;
        at = after;
        if (this.#head.host === '') this.#head.host = this.#events.destination;
        exchange.begin(this.#head, this);
        if (this.#state !== 'open') return;
        if (exchange.state === 'idle') continue;
      } else if (parser.done) return this.#hold(chunk, at);
      const end = parser.readBody(chunk, at);
      exchange.body(chunk, at, end);
      at = end;
      exchange.flush();
    }
    exchange.flush();
  }

  /** Not before the request that is under way is answered; more is not read meanwhile. */
  #hold(chunk: Buffer, from: number): void {
    const rest = Buffer.from(chunk.subarray(from));
    this.#pipelined = this.#pipelined === undefined ? rest : Buffer.concat([this.#pipelined, rest]);
    this.wire.pause();
  }

  #nonsense(error: Http1Error): void {
    this.#events.onNonsense(error);
    // Within a body: the head has been forwarded, so the application must see a break, not an end.
    const early = this.#exchange.state === 'idle';
    this.#exchange.abandon(error.reason);
    if (!early) return this.cut();
    this.#refuse(new HttpRefusal('bad_request', error.message, error, error.status));
  }

  #refuse(refusal: HttpRefusal): void {
    const { status, fields, body } = replyTo(refusal, false);
    this.wire.writeText(simpleResponse(status, fields, body, true));
    this.#close();
  }

  /** Half-closes, so that the last answer arrives; what the client still sends is thrown away for a while. */
  #close(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#state = 'closing';
    this.#idleSinceMs = this.#host.now();
    this.#pipelined = undefined;
    this.wire.end();
    this.wire.resume();
  }
}
