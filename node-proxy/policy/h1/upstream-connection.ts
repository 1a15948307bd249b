/**
 * One HTTP/1.1 connection to an application: carries one exchange at a time and waits in its upstream's list
 * between them.
 *
 *   busy ──release──► idle ──claim──► busy
 *     └───────────────┴── closed by either side ──► closed
 */

import { ResponseParser } from '../../http1/index.ts';
import type { Wire, WireEvents } from '../wire/wire.ts';

/** The exchange that a connection carries. */
export interface ResponseReader {
  /** The chunk is the connection's: it must not be kept. */
  responseData(connection: H1Upstream, chunk: Buffer): void;
  responseEnded(connection: H1Upstream): void;
  /** The connection takes bytes again. */
  requestDrained(connection: H1Upstream): void;
  /** @param clean both halves had ended. */
  connectionClosed(connection: H1Upstream, clean: boolean): void;
}

/** Where connections wait between exchanges. */
export interface IdlePool {
  /** The most recently used last. */
  readonly idle: H1Upstream[];
  /** Nobody takes any from it again. */
  readonly closed: boolean;
  /** A connection is free. @returns true when the pool has done with it what is to be done. */
  offer?(connection: H1Upstream): boolean;
}

export class H1Upstream implements WireEvents {
  readonly wire: Wire;
  readonly parser = new ResponseParser();
  /** It has waited unused: its server may have closed it just when it is used again. */
  waited = false;
  /** Monotonic milliseconds of the last release. */
  idleSinceMs = 0;
  closed = false;
  #reader: ResponseReader | undefined;
  readonly #pool: IdlePool;
  readonly #onClosed: () => void;

  /**
   * Starts the wire: it may be closed at once.
   * @param onClosed once.
   */
  constructor(wire: Wire, pool: IdlePool, onClosed: () => void) {
    this.wire = wire;
    this.#pool = pool;
    this.#onClosed = onClosed;
    wire.start(this);
  }

  /** Belongs to the exchange until it is released or destroyed. */
  claim(reader: ResponseReader): void {
    this.#reader = reader;
  }

  /** The exchange is over and the connection good for another. */
  release(nowMs: number): void {
    this.#reader = undefined;
    if (this.closed) return;
    if (this.#pool.closed || this.wire.retired === true) return this.destroy();
    this.waited = true;
    this.idleSinceMs = nowMs;
    if (this.#pool.offer?.(this) === true) return;
    this.#pool.idle.push(this);
  }

  /** Not good for another. */
  destroy(): void {
    this.#reader = undefined;
    this.#close();
    this.wire.reset();
  }

  onData(chunk: Buffer): void {
    // An answer that nobody asked for, or more than one: whose it would be is anybody's guess.
    if (this.#reader === undefined) return this.destroy();
    this.#reader.responseData(this, chunk);
  }

  onEnd(): void {
    if (this.#reader === undefined) {
      this.#close();
      return this.wire.end();
    }
    this.#reader.responseEnded(this);
  }

  onDrain(): void {
    this.#reader?.requestDrained(this);
  }

  onClosed(clean: boolean): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#close();
    reader?.connectionClosed(this, clean);
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    const { idle } = this.#pool;
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
    this.#onClosed();
  }
}
