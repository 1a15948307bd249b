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
import type { Host } from '../exchange/host.ts';
import type { Plan, Redirect } from '../exchange/plan.ts';
import { HttpRefusal, replyTo } from '../reply/index.ts';
import type { CarriedRequest } from '../view.ts';
import { Brake, TURN } from '../wire/brake.ts';
import type { Wire, WireEvents } from '../wire/wire.ts';
import { H1Exchange } from './exchange.ts';
import type { ExchangeOwner } from './exchange-owner.ts';

export interface ServerEvents {
  /** The host of requests that name none, which HTTP/1.0 allows (RFC 9110 §7.1). */
  destination: string;
  /** Not a request: refused before there was a plan. */
  onNonsense(error: Http1Error): void;
  /** Once. */
  onClosed(): void;
}

const KEEP_ALIVE = ['connection', 'keep-alive'] as const;

/**
 * A proxy that drains closes connections that had no request for this long. All others it tells with their next
 * answer: closed between two requests, the next one would cross with the close, and be lost.
 */
const SELDOM_MS = 1_000;

/** Closing: the last response is under way, what still comes is thrown away. */
type State = 'open' | 'tunnel' | 'closing' | 'closed';

export class H1Server implements WireEvents, ExchangeOwner, CarriedRequest {
  readonly wire: Wire;
  readonly brake: Brake;
  readonly #host: Host;
  readonly #events: ServerEvents;
  readonly #parser = new RequestParser();
  readonly #head: RequestHead;
  readonly #exchange: H1Exchange;
  #state: State = 'open';
  /** What came before its turn. */
  #pipelined: Buffer | undefined;
  #taking = false;
  #reading = false;
  /** Bytes of the chunk that is being read, beyond what was read of it. */
  #unread = 0;
  #clientEnded = false;
  /** Monotonic time at which that was noticed. */
  #endedMs = 0;
  /** The client has closed both halves of a tunnel; the application takes the last bytes. */
  #clientGone = false;
  #flushed = false;
  /** Monotonic times: of the last answer, or of our close; and at which a head was first seen unfinished, or 0. */
  #idleSinceMs: number;
  #headSinceMs = 0;

  constructor(wire: Wire, plan: Plan, host: Host, events: ServerEvents) {
    this.wire = wire;
    this.brake = new Brake(wire);
    this.#host = host;
    this.#events = events;
    this.#head = this.#parser.head;
    this.#exchange = new H1Exchange(this, plan, host);
    this.#idleSinceMs = host.now();
  }

  // === CarriedRequest: the one under way ===

  get method(): string {
    return this.#head.method;
  }
  get path(): string {
    return this.#head.target;
  }
  get authority(): string {
    return this.#head.host;
  }
  get size(): number {
    return this.#head.text.length;
  }
  get reserved(): boolean {
    return this.#head.has(HAS_RESERVED);
  }
  /** An Upgrade that is not passed on is not there. */
  header(name: string): string | undefined {
    if (name === 'upgrade' && this.#head.upgrade === '') return undefined;
    return this.#head.header(name);
  }

  // === The wire ===

  onData(chunk: Buffer): void {
    if (this.#state === 'tunnel') return this.#exchange.tunnelData(chunk);
    if (this.#state !== 'open') return;
    if (this.#pipelined !== undefined || this.#reading) return this.#hold(chunk, 0, false);
    this.#read(chunk, false);
  }

  onEnd(): void {
    this.#clientEnded = true;
    if (this.#state === 'tunnel') return this.#exchange.clientEnded();
    if (this.#state === 'open') this.#checkEnd();
  }

  onDrain(): void {
    this.#exchange.clientDrained();
    this.#proceed();
  }

  onClosed(clean: boolean): void {
    if (clean && this.#state === 'tunnel') this.#clientGone = true;
    else this.#over();
  }

  /** To be called every second. */
  check(nowMs: number): void {
    if (this.#exchange.state !== 'idle') return this.#checkExchange(nowMs);
    if (this.#state === 'closing') return this.#checkClosing(nowMs);
    const { headMs, clientIdleMs } = this.#host.limits;
    if (!this.#parser.started || this.#pipelined !== undefined) this.#headSinceMs = 0;
    else if (this.#headSinceMs === 0) this.#headSinceMs = nowMs;
    else if (nowMs - this.#headSinceMs > headMs)
      return this.#refuse(new HttpRefusal('timeout_head', 'the head of a request did not come in time'));
    const idleMs = nowMs - this.#idleSinceMs;
    if (this.#host.draining && !this.#parser.started && idleMs > SELDOM_MS) return this.#close();
    if (idleMs <= clientIdleMs) return;
    // It asks and does not read what it is answered.
    if (this.#exchange.behind) this.cut();
    else this.#close();
  }

  /** Ends it at once, whatever is under way. */
  breakOff(reason: string): void {
    if (this.#state === 'closed') return;
    this.#exchange.abandon(reason);
    this.cut();
  }

  // === The exchange's owner ===

  get persistent(): boolean {
    const last = this.#clientEnded && this.#pipelined === undefined && this.#unread === 0;
    return this.#head.keepAlive && !last;
  }

  get requestDone(): boolean {
    return this.#parser.done;
  }

  answer(answer: HttpRefusal | Redirect): number {
    const close = !this.#exchange.persistent;
    const { status, fields, body } = replyTo(answer, false);
    const all = !close && this.#head.minor === 0 ? [...fields, KEEP_ALIVE] : fields;
    const text = simpleResponse(status, all, body, close);
    if (!this.wire.writeText(this.#head.method === 'HEAD' ? withoutBody(text) : text))
      this.#exchange.clientBehind();
    return status;
  }

  responded(persistent: boolean): void {
    this.#idleSinceMs = this.#host.now();
    this.#headSinceMs = this.#endedMs = 0;
    if (!persistent) return this.#close();
    this.#parser.next();
    // Further down the stack somebody may still be reading a chunk: it goes on by itself.
    if (!this.#reading) this.#proceed();
  }

  becomeTunnel(): void {
    this.#state = 'tunnel';
    const early = this.#pipelined;
    this.#pipelined = undefined;
    if (early !== undefined) this.#exchange.tunnelData(early);
    this.brake.release(TURN);
    if (this.#clientEnded) this.#exchange.clientEnded();
  }

  tunnelEnded(): void {
    if (this.#clientGone) this.#over();
    else this.#close();
  }

  cut(): void {
    this.wire.reset();
    this.#over();
  }

  /** @param own the chunk is this object's, and stays as it is. */
  #read(chunk: Buffer, own: boolean): void {
    this.#reading = true;
    try {
      this.#requests(chunk, own);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.#nonsense(error);
    } finally {
      this.#reading = false;
      this.#unread = 0;
    }
  }

  #requests(chunk: Buffer, own: boolean): void {
    const parser = this.#parser;
    const exchange = this.#exchange;
    let at = 0;
    while (at < chunk.length && this.#state === 'open') {
      if (exchange.state === 'idle') {
        if (exchange.behind) return this.#hold(chunk, at, own);
        const after = parser.readHead(chunk, at);
        if (after < 0) return;
        at = after;
        this.#unread = chunk.length - at;
        if (this.#head.host === '') this.#head.host = this.#events.destination;
        exchange.begin(this.#head, this);
        if (this.#state !== 'open') return;
        if (exchange.state === 'idle') continue;
      } else if (parser.done) return this.#hold(chunk, at, own);
      const end = parser.readBody(chunk, at);
      this.#unread = chunk.length - end;
      exchange.body(chunk, at, end);
      at = end;
      exchange.flush();
    }
    exchange.flush();
  }

  /** Not before the request that is under way is answered; more is not read meanwhile. */
  #hold(chunk: Buffer, from: number, own: boolean): void {
    const rest = chunk.subarray(from);
    if (this.#pipelined !== undefined) this.#pipelined = Buffer.concat([this.#pipelined, rest]);
    else this.#pipelined = own ? rest : Buffer.from(rest);
    this.brake.hold(TURN);
  }

  /** The turn of what was held back may have come. In a turn of its own, so that a thousand requests are no recursion. */
  #proceed(): void {
    if (this.#taking || this.#pipelined === undefined) return;
    this.#taking = true;
    queueMicrotask(() => {
      this.#taking = false;
      this.#take();
    });
  }

  #take(): void {
    const chunk = this.#pipelined;
    const { state, behind } = this.#exchange;
    if (chunk === undefined || this.#state !== 'open' || state !== 'idle' || behind) return;
    this.#pipelined = undefined;
    this.#read(chunk, true);
    if (this.#pipelined !== undefined) return;
    this.brake.release(TURN);
    this.#checkEnd();
  }

  /** A client that half-closes after its requests still wants the answers; within one it has given up. */
  #checkEnd(): void {
    if (!this.#clientEnded || this.#pipelined !== undefined || this.#state !== 'open') return;
    if (this.#exchange.state === 'idle') this.#close();
    else if (!this.#parser.done) this.cut();
  }

  #nonsense(error: Http1Error): void {
    const { answering, state } = this.#exchange;
    // What a request breaks off with is told by its plan.
    if (state === 'idle') this.#events.onNonsense(error);
    // Within a body, the application sees a break, not an end.
    this.#exchange.abandon(error.reason);
    if (answering) return this.cut();
    this.#refuse(new HttpRefusal('bad_request', error.message, error, error.status));
  }

  #refuse(refusal: HttpRefusal): void {
    const { status, fields, body } = replyTo(refusal, false);
    this.wire.writeText(simpleResponse(status, fields, body, true));
    this.#close();
  }

  /** Closing and half-closing look alike: who asks and half-closes is answered, if that does not take long. */
  #checkExchange(nowMs: number): void {
    const { lingerMs, clientIdleMs } = this.#host.limits;
    const waits = this.#clientEnded && this.#state === 'open' && !this.#exchange.answering;
    if (!waits && !this.#clientGone) return this.#exchange.checkIdle(nowMs);
    if (this.#endedMs === 0) this.#endedMs = nowMs;
    // A tunnel whose client is gone for good: the application has that long to take the last bytes.
    else if (nowMs - this.#endedMs > (waits ? lingerMs : clientIdleMs)) this.cut();
  }

  #checkClosing(nowMs: number): void {
    const { clientIdleMs, lingerMs } = this.#host.limits;
    if (!this.#flushed && this.wire.flushed) {
      this.#flushed = true;
      this.#idleSinceMs = nowMs;
    }
    // A slow client gets its last answer too.
    if (nowMs - this.#idleSinceMs > (this.#flushed ? lingerMs : clientIdleMs)) this.cut();
  }

  /** Half-closes, so that the last answer arrives; what the client still sends is thrown away for a while. */
  #close(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#state = 'closing';
    this.#idleSinceMs = this.#host.now();
    this.#pipelined = undefined;
    this.wire.end();
    this.brake.releaseAll();
  }

  #over(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#pipelined = undefined;
    this.#exchange.abandon('client_gone');
    this.#events.onClosed();
  }
}
