/**
 * One side of a relayed connection: a TCP socket or a stream of a tunnel, seen alike. Callbacks instead of
 * event emitters, for this is the busiest path of the project.
 */

import type { Socket } from 'node:net';
import type { H2Stream, StreamEvents } from '../../http2/index.ts';

export interface SideEvents {
  /** The chunk may be kept. */
  onData(chunk: Buffer): void;
  /** The far end has half-closed. */
  onEnd(): void;
  /** `write` may go on. */
  onDrain(): void;
  /** Terminal, once. `clean` = both halves had ended. */
  onClosed(clean: boolean): void;
}

export interface Side {
  /** Starts delivering to `events`. Nothing that arrived before is lost. */
  start(events: SideEvents): void;
  /** @returns false when the far end is slower than we are: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  /** Half-close. */
  end(): void;
  /** Stop delivering soon; what is on its way still comes, bounded by the transport's window. */
  pause(): void;
  resume(): void;
  /** Ends at once so that the far end sees an error: RST for TCP, RST_STREAM in a tunnel. */
  reset(): void;
  /** After `end`: all that was written has left. Undefined where nobody asks. */
  readonly flushed?: boolean;
  /** It goes on, but nothing new shall begin on it: its tunnel ends with its last stream. Undefined where nobody asks. */
  readonly retired?: boolean;
}

/** What a stream belongs to. */
export interface Carrier {
  readonly retired: boolean;
}

/** A socket or a stream, as a side. */
export function sideOf(connected: Socket | StreamSide): Side {
  return connected instanceof StreamSide ? connected : new SocketSide(connected);
}

/** @see Side. The socket must be paused, allow half-open, and have no listeners of its own but 'error'. */
export class SocketSide implements Side {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  start(events: SideEvents): void {
    const socket = this.#socket;
    if (socket.destroyed) return events.onClosed(false);
    socket.on('data', (chunk: Buffer) => events.onData(chunk));
    socket.on('end', () => events.onEnd());
    socket.on('drain', () => events.onDrain());
    // 'close' follows every error.
    socket.on('error', ignore);
    socket.on('close', () => events.onClosed(socket.readableEnded && socket.writableFinished));
    socket.resume();
  }

  write(chunk: Buffer): boolean {
    return this.#socket.write(chunk);
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  reset(): void {
    resetSocket(this.#socket);
  }
}

/** Ends a socket with RST; after our own half-close that is no longer possible, and a close has to do. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  socket.on('error', ignore);
  // libuv refuses to reset a socket that is shutting down, and Node then leaves its handle open for ever.
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** RFC 9113 §7 */
const CANCEL = 0x8;

/**
 * @see Side. Pausing is flow control: bytes that were passed on are given back as credit, held back while paused.
 * Events that come before {@link StreamSide.start} are kept; no data comes before it, as the window is not
 * needed for what we ask first.
 */
export class StreamSide implements Side, StreamEvents {
  readonly #stream: H2Stream;
  #events: SideEvents | undefined;
  #early: (() => void)[] | undefined;
  #paused = false;
  #owed = 0;
  #sent = false;
  /** Halves that have ended; 2 = closed, however. */
  #ended = 0;
  readonly #tunnel: Carrier | undefined;

  /** @param tunnel undefined: the peer's. */
  constructor(stream: H2Stream, tunnel?: Carrier) {
    this.#stream = stream;
    this.#tunnel = tunnel;
    stream.events = this;
  }

  start(events: SideEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) for (const act of early) act();
  }

  write(chunk: Buffer): boolean {
    return this.#stream.write(chunk);
  }

  end(): void {
    this.#stream.end();
  }

  /** Only now has this half ended: what was written before may have waited for the peer's window. */
  onSent(): void {
    this.#sent = true;
    this.#ended += 1;
    this.#finished();
  }

  get flushed(): boolean {
    return this.#sent || this.#stream.closed;
  }

  get retired(): boolean {
    return this.#tunnel?.retired === true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#owed === 0) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.#stream.consumed(bytes);
  }

  reset(): void {
    this.#stream.reset(CANCEL);
  }

  onHeaders(): void {
    // Trailers mean nothing to a CONNECT tunnel.
  }

  onData(chunk: Buffer): void {
    if (this.#events === undefined) {
      this.#later(() => this.onData(chunk));
      return;
    }
    this.#events.onData(chunk);
    if (this.#paused) this.#owed += chunk.length;
    else this.#stream.consumed(chunk.length);
  }

  onEnd(): void {
    if (this.#events === undefined) return this.#later(() => this.onEnd());
    this.#events.onEnd();
    this.#ended += 1;
    this.#finished();
  }

  onReset(): void {
    if (this.#events === undefined) return this.#later(() => this.onReset());
    if (this.#ended >= 2) return;
    this.#ended = 2;
    this.#events.onClosed(false);
  }

  onDrain(): void {
    this.#events?.onDrain();
  }

  #finished(): void {
    if (this.#ended === 2) this.#events?.onClosed(true);
  }

  #later(act: () => void): void {
    // Bounded by the stream's window: no credit was given back yet.
    this.#early ??= [];
    this.#early.push(act);
  }
}

function ignore(): void {}
