/**
 * An HTTP/2 connection without a socket: bytes in by `receive`, bytes out by the transport, events to the
 * user. One for both roles. No timers: whoever owns the socket sets the deadlines (handshake, ping, drain).
 */

import type {
  ConnectionEvents,
  ConnectionState,
  EncodedHeaders,
  H2Limits,
  H2Stream,
  H2Transport,
  LocalSettings,
  StreamEvents,
} from './api.ts';
import { H2Code, MAX_31_BIT } from './constants.ts';
import { Violation } from './error.ts';
import { DEFAULT_LIMITS } from './floods.ts';
import { FrameReader } from './frame/reader.ts';
import { DEFAULT_SETTINGS } from './frame/settings.ts';
import { sizeOf } from './hpack/dynamic-table.ts';
import type { Header } from './hpack/header.ts';
import { Receiver } from './receiver.ts';
import type { Schedule } from './send/output.ts';
import { type Role, Session } from './session.ts';
import { Stream } from './stream.ts';

export interface H2Options {
  role: Role;
  transport: H2Transport;
  events: ConnectionEvents;
  settings?: Partial<LocalSettings>;
  /** Bytes that all streams together may have in flight towards us; at least 65,535. */
  connectionWindow?: number;
  limits?: Partial<H2Limits>;
  /**
   * Header lists of ours are sent as they are: each field was received over HTTP/2, or checked when it was made.
   * Default: each is checked again.
   */
  trusted?: boolean;
  /**
   * When small frames are flushed. Default: setImmediate, at the end of the turn, which gathers what all
   * sockets read in that turn brought.
   */
  schedule?: Schedule;
  /** Monotonic milliseconds. */
  now?: () => number;
}

/** Four times the stream window: with equal windows one stalled stream would stall all. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

export class H2Connection {
  readonly #session: Session;
  readonly #reader: FrameReader;

  constructor(options: H2Options) {
    const settings = { ...DEFAULT_SETTINGS, ...options.settings };
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#session = new Session({
      role: options.role,
      transport: options.transport,
      events: options.events,
      settings,
      limits,
      trusted: options.trusted ?? false,
      connectionWindow: options.connectionWindow ?? CONNECTION_WINDOW_BYTES,
      schedule: options.schedule ?? (flush => void setImmediate(flush)),
      now: options.now ?? (() => performance.now()),
    });
    this.#reader = new FrameReader(
      new Receiver(this.#session),
      { maxFrameSize: settings.maxFrameSize, maxHeaderBytes: limits.headerBlockBytes },
      options.role === 'server',
    );
    this.#session.stopReading = () => this.#reader.stop();
  }

  get state(): ConnectionState {
    return this.#session.state;
  }

  get openStreams(): number {
    return this.#session.streams.size;
  }

  /** Bytes held for the peer: waiting for its windows or for the transport. */
  get bufferedBytes(): number {
    return this.#session.sender.queued + this.#session.output.pending;
  }

  /** The peer's window for the connection is used up: no stream can send. */
  get stalled(): boolean {
    return this.#session.sender.window <= 0;
  }

  /** Whether {@link H2Connection.request} would succeed. */
  get canOpen(): boolean {
    const { role, state, streams, peer, nextId, output, limits } = this.#session;
    return (
      role === 'client' &&
      state === 'open' &&
      streams.size < peer.maxConcurrentStreams &&
      nextId <= MAX_31_BIT &&
      output.pending <= limits.controlBytes
    );
  }

  /** Takes bytes of the peer, in any pieces. Never throws for what they say. */
  receive(chunk: Buffer): void {
    const session = this.#session;
    if (session.state === 'closed') return;
    try {
      this.#reader.read(chunk);
      const { output, limits } = session;
      if (output.blocked && output.pending > limits.controlBytes)
        throw new Violation(H2Code.ENHANCE_YOUR_CALM, 'the peer asks for answers and does not read them');
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      session.fail(error.h2Code, session.remoteError(error.h2Code, 'peer', error.message));
    }
  }

  /** The transport takes bytes again after `write` returned false. */
  drained(): void {
    this.#session.output.drained();
    this.#session.sender.pump();
  }

  /** The transport was closed by the other side, or failed. */
  transportEnded(error?: Error): void {
    const session = this.#session;
    if (session.state === 'closed') return;
    const clean = error === undefined && session.streams.size === 0;
    const text = error === undefined ? 'the peer closed the transport' : 'the transport failed';
    const lost = session.remoteError(H2Code.INTERNAL_ERROR, 'transport', text, error);
    session.lose(clean ? undefined : lost, false);
  }

  /**
   * Opens a stream.
   * @throws H2Error REFUSED_STREAM when `canOpen` is false, INTERNAL_ERROR for headers that can't be sent.
   */
  request(headers: readonly Header[] | EncodedHeaders, events: StreamEvents, endStream = false): H2Stream {
    const session = this.#session;
    if (!this.canOpen) throw session.localError(this.#whyNot(), H2Code.REFUSED_STREAM);
    const list = 'bytes' in headers ? headers.headers : headers;
    this.#checkSize(list);
    const id = session.nextId;
    session.writeHeaders(id, headers, endStream);
    session.nextId = id + 2;
    const stream = new Stream(
      id,
      session,
      events,
      session.peer.initialWindowSize,
      session.initialReceiveWindow,
      methodOf(list),
      'response',
    );
    session.streams.set(id, stream);
    if (endStream) stream.queueSent();
    return stream;
  }

  /** Asks for a sign of life; `onPong` brings it. */
  ping(): void {
    if (this.state !== 'closed') this.#session.ping();
  }

  /** Graceful: no new streams, the present ones finish, then the transport is ended. */
  goaway(code: number = H2Code.NO_ERROR): void {
    this.#session.drain(code);
  }

  /** Ends everything now; with a code the peer is told. */
  destroy(code?: number): void {
    if (code === undefined) this.#session.lose(undefined, true);
    else this.#session.fail(code, undefined);
  }

  #checkSize(headers: readonly Header[]): void {
    const { peer } = this.#session;
    if (peer.maxHeaderListSize === Number.POSITIVE_INFINITY) return;
    let bytes = 0;
    for (const header of headers) bytes += sizeOf(header);
    if (bytes > peer.maxHeaderListSize)
      throw this.#session.localError(`the peer takes no header list of ${bytes} bytes`);
  }

  #whyNot(): string {
    const { role, state, streams, peer, nextId } = this.#session;
    if (role !== 'client') return 'only a client opens streams';
    if (state !== 'open') return `the connection is ${state}`;
    if (streams.size >= peer.maxConcurrentStreams)
      return `the peer takes no more than ${peer.maxConcurrentStreams} streams`;
    return nextId > MAX_31_BIT ? 'all stream ids of the connection are used' : 'the transport is full';
  }
}

function methodOf(headers: readonly Header[]): 'CONNECT' | 'HEAD' | 'other' {
  const method = headers.find(([name]) => name === ':method')?.[1];
  return method === 'CONNECT' || method === 'HEAD' ? method : 'other';
}
