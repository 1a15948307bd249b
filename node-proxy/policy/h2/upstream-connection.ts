/**
 * One HTTP/2 connection to an application; its pool gives its streams away.
 *
 *   opening ──SETTINGS──► open ──GOAWAY, idle, broken──► retired ──the wire is closed──► closed
 *      └───────── no SETTINGS, not HTTP/2 ──────────────────┘
 */

import {
  H2Code,
  H2Connection,
  type H2Error,
  type H2Stream,
  type Header,
  nameOfCode,
  type ResetBy,
  type StreamEvents,
} from '../../http2/index.ts';
import { HttpRefusal } from '../reply/index.ts';
import type { Wire, WireEvents } from '../wire/wire.ts';
import { settingsFor } from './settings.ts';
import { WireTransport } from './transport.ts';

export interface UpstreamOwner {
  /** It takes streams. */
  ready(): void;
  /** It takes no further streams. @param refusal why it never took any; undefined if it did. */
  retired(connection: H2Upstream, refusal: HttpRefusal | undefined): void;
  /** Once, last: the wire is closed. */
  gone(connection: H2Upstream): void;
}

export interface UpstreamTimes {
  /** Until the application has sent its SETTINGS, milliseconds. */
  openMs: number;
  /** Without a stream. */
  idleMs: number;
  /** After its last frame, until the wire is cut. */
  lingerMs: number;
}

export class H2Upstream implements WireEvents {
  readonly wire: Wire;
  /** Chunks that have come. */
  heard = 0;
  readonly #address: string;
  readonly #owner: UpstreamOwner;
  readonly #most: number;
  readonly #connection: H2Connection;
  #state: 'opening' | 'open' | 'retired' | 'closed' = 'opening';
  /** Monotonic milliseconds since when it opens, has no stream, or ends; 0: nobody has looked since. */
  #sinceMs = 0;
  /** What came before SETTINGS. */
  #first = '';

  /** @param most streams at once. */
  constructor(wire: Wire, address: string, most: number, owner: UpstreamOwner) {
    this.wire = wire;
    this.#address = address;
    this.#owner = owner;
    this.#most = most;
    this.#connection = new H2Connection({
      role: 'client',
      transport: new WireTransport(wire),
      events: {
        onReady: () => this.#opened(),
        onGoaway: code => this.#retire(`said GOAWAY: ${nameOfCode(code)}`),
        onClosed: error => this.#over(error),
      },
      ...settingsFor(0),
    });
  }

  /** May call back at once: a wire can have ended before it was started. */
  start(): void {
    this.wire.start(this);
  }

  get roomy(): boolean {
    const connection = this.#connection;
    return (
      this.#state === 'open' &&
      this.wire.retired !== true &&
      connection.openStreams < this.#most &&
      connection.canOpen
    );
  }

  get streams(): number {
    return this.#connection.openStreams;
  }

  /** @throws H2Error when it is not roomy, or the application takes no list of this size. */
  open(headers: readonly Header[], events: StreamEvents, endStream: boolean): H2Stream {
    const stream = this.#connection.request(headers, events, endStream);
    this.#sinceMs = 0;
    return stream;
  }

  /** To be called every second. */
  sweep(nowMs: number, { openMs, idleMs, lingerMs }: UpstreamTimes): void {
    // What is under way finishes.
    if (this.#state === 'open' && this.wire.retired === true) {
      this.#retire('');
      this.#connection.goaway();
    }
    const state = this.#state;
    if (state === 'closed' || this.streams > 0) return;
    if (this.#sinceMs === 0) this.#sinceMs = nowMs;
    const waitedMs = nowMs - this.#sinceMs;
    if (state === 'open' && waitedMs >= idleMs) {
      this.#retire('');
      this.#connection.goaway();
    } else if (state === 'opening' && waitedMs >= openMs) {
      this.#retire('did not speak HTTP/2 in time');
      this.destroy();
    } else if (state === 'retired' && waitedMs >= lingerMs) this.destroy();
  }

  /** Ends it at once, with all its streams. */
  destroy(): void {
    this.#connection.destroy();
    this.#closed();
  }

  /** What became of a stream that was reset before it was answered. */
  refusalOf(code: number, by: ResetBy): HttpRefusal {
    const where = this.#address;
    const name = nameOfCode(code);
    if (by === 'peer') {
      return code === H2Code.HTTP_1_1_REQUIRED
        ? new HttpRefusal('bad_response', `${where} wants HTTP/1.1 for this request`)
        : new HttpRefusal('upstream_reset', `${where} reset the request: ${name}`);
    }
    if (BROKEN_RULES.has(code)) return new HttpRefusal('bad_response', `${where} broke HTTP/2: ${name}`);
    return by === 'local'
      ? new HttpRefusal('overloaded', `too much waits to be read by ${where}`)
      : new HttpRefusal('upstream_reset', `the connection to ${where} broke`);
  }

  onData(chunk: Buffer): void {
    this.heard += 1;
    if (this.#state === 'opening' && this.#first.length < HTTP1.length)
      this.#first += chunk.toString('latin1', 0, HTTP1.length - this.#first.length);
    this.#connection.receive(chunk);
  }

  onEnd(): void {
    this.#connection.transportEnded();
    this.wire.end();
  }

  onDrain(): void {
    this.#connection.drained();
  }

  onClosed(): void {
    this.#connection.transportEnded();
    this.#closed();
  }

  #opened(): void {
    this.#state = 'open';
    this.#sinceMs = 0;
    this.#owner.ready();
  }

  #over(error: H2Error | undefined): void {
    this.#sinceMs = 0;
    this.#retire(error === undefined ? 'closed the connection' : error.message);
  }

  /** @param why for those who wait for it to open. */
  #retire(why: string): void {
    const never = this.#state === 'opening';
    if (!never && this.#state !== 'open') return;
    this.#state = 'retired';
    this.#owner.retired(this, never ? this.#neverOpened(why) : undefined);
  }

  #neverOpened(why: string): HttpRefusal {
    const where = this.#address;
    if (this.#first === HTTP1)
      return new HttpRefusal(
        'bad_response',
        `${where} speaks HTTP/1, not HTTP/2: see the port's appProtocol`,
      );
    const nothing = this.#first === '';
    return new HttpRefusal(nothing ? 'connect_failed' : 'bad_response', `${where}: no HTTP/2: ${why}`);
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#retire('closed the connection');
    this.#state = 'closed';
    this.#owner.gone(this);
  }
}

const HTTP1 = 'HTTP/1';

/** Codes of ours for what a peer did wrong. */
const BROKEN_RULES: ReadonlySet<number> = new Set([
  H2Code.PROTOCOL_ERROR,
  H2Code.FLOW_CONTROL_ERROR,
  H2Code.STREAM_CLOSED,
  H2Code.FRAME_SIZE_ERROR,
  H2Code.COMPRESSION_ERROR,
  H2Code.ENHANCE_YOUR_CALM,
]);
