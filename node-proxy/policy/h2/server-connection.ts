/**
 * A client's HTTP/2 connection: each of its streams is an exchange with a plan of its own. What breaks the protocol
 * ends the connection with GOAWAY, what breaks a request is answered on its stream.
 *
 *   open ──idle, draining──► leaving (GOAWAY; requests under way finish) ──► closing ──► closed
 *     └───────────── broken by the client, broken off ────────────────────────┘
 */

import {
  H2Code,
  H2Connection,
  type H2Error,
  type H2Stream,
  type Header,
  nameOfCode,
  type StreamEvents,
} from '../../http2/index.ts';
import type { HttpServer } from '../door/opening.ts';
import type { Host } from '../exchange/host.ts';
import type { Plan } from '../exchange/plan.ts';
import type { Wire } from '../wire/wire.ts';
import { RefusedRequest } from './answer.ts';
import { type ExchangeOwner, H2Exchange } from './exchange.ts';
import { H2RequestHead, KnownHosts, refusalOfRequest } from './head/request-head.ts';
import { settingsFor } from './settings.ts';
import { WireTransport } from './transport.ts';

export interface ServerEvents {
  /** What came was no request, or not HTTP/2: refused before there was a plan. */
  onNonsense(reason: string): void;
  /** Once. */
  onClosed(): void;
}

type State = 'open' | 'leaving' | 'closing' | 'closed';

export class H2Server implements HttpServer, ExchangeOwner {
  readonly wire: Wire;
  readonly host: Host;
  readonly #plan: () => Plan;
  readonly #events: ServerEvents;
  readonly #connection: H2Connection;
  readonly #exchanges = new Set<H2Exchange>();
  readonly #hosts = new KnownHosts();
  #state: State = 'open';
  #ready = false;
  /** Monotonic milliseconds since when there is no request, or it closes. */
  #sinceMs: number;
  /** When something was last seen waiting to be sent, after its end. */
  #unsentMs = 0;

  /** @param plan makes one for each request. */
  constructor(wire: Wire, plan: () => Plan, host: Host, events: ServerEvents) {
    this.wire = wire;
    this.host = host;
    this.#plan = plan;
    this.#events = events;
    this.#sinceMs = host.now();
    this.#connection = new H2Connection({
      role: 'server',
      transport: new WireTransport(wire),
      events: {
        onReady: () => {
          this.#ready = true;
        },
        onStream: (stream, headers, endStream) => this.#request(stream, headers, endStream),
        onMalformed: () => this.#events.onNonsense('malformed'),
        onGoaway: () => {},
        onClosed: error => this.#over(error),
      },
      ...settingsFor(host.limits.streamsPerConnection),
    });
  }

  onData(chunk: Buffer): void {
    this.#connection.receive(chunk);
  }

  /** HTTP/2 has no use for a half-open connection. */
  onEnd(): void {
    this.#connection.transportEnded();
    this.wire.end();
  }

  onDrain(): void {
    this.#connection.drained();
  }

  onClosed(): void {
    if (this.#state === 'closed') return;
    this.#connection.transportEnded();
    this.#state = 'closed';
    this.#events.onClosed();
  }

  /** To be called every second. */
  check(nowMs: number): void {
    const { headMs, clientIdleMs, lingerMs } = this.host.limits;
    for (const exchange of this.#exchanges) exchange.checkIdle(nowMs);
    if (this.#state === 'open' && this.host.draining) return this.#leave(nowMs);
    if (this.#exchanges.size > 0) return;
    const waitedMs = nowMs - this.#sinceMs;
    if (this.#state === 'open') {
      if (waitedMs >= (this.#ready ? clientIdleMs : headMs)) this.#leave(nowMs);
    } else if (this.#state === 'leaving') {
      // It says nothing to our GOAWAY.
      if (waitedMs >= lingerMs) this.#connection.destroy(H2Code.NO_ERROR);
    } else if (waitedMs >= clientIdleMs) this.#cut();
    else if (!this.wire.flushed) this.#unsentMs = nowMs;
    else if (nowMs - Math.max(this.#unsentMs, this.#sinceMs) >= lingerMs) this.#cut();
  }

  breakOff(reason: string): void {
    if (this.#state === 'closed') return;
    for (const exchange of [...this.#exchanges]) exchange.abandon(reason);
    this.#cut();
  }

  over(exchange: H2Exchange): void {
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) this.#sinceMs = this.host.now();
  }

  #request(stream: H2Stream, headers: readonly Header[], endStream: boolean): StreamEvents {
    const head = new H2RequestHead(headers);
    const bad = head.read(this.#hosts);
    if (bad !== undefined) {
      this.#events.onNonsense(bad);
      const refused = new RefusedRequest(stream, endStream);
      stream.events = refused;
      refused.answer(refusalOfRequest(bad), head.grpc, head.method);
      return refused;
    }
    const exchange = new H2Exchange(this, stream, head, this.#plan());
    this.#exchanges.add(exchange);
    stream.events = exchange;
    exchange.begin(endStream);
    return exchange;
  }

  /** GOAWAY: no new requests; those that are under way finish. */
  #leave(nowMs: number): void {
    this.#state = 'leaving';
    this.#sinceMs = nowMs;
    this.#connection.goaway();
  }

  /** The last frame was written. */
  #over(error: H2Error | undefined): void {
    if (error?.initiator === 'peer') this.#events.onNonsense(`h2_${nameOfCode(error.h2Code).toLowerCase()}`);
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.#sinceMs = this.host.now();
  }

  #cut(): void {
    this.#connection.destroy();
    this.wire.reset();
    this.onClosed();
  }
}
