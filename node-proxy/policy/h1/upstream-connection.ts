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
  responseData(chunk: Buffer): void;
  responseEnded(): void;
  /** The connection takes bytes again. */
  requestDrained(): void;
  connectionClosed(): void;
}

export class H1Upstream implements WireEvents {
  readonly wire: Wire;
  readonly parser = new ResponseParser();
  /** Exchanges that it has carried, the present one included. */
  uses = 0;
  /** Monotonic milliseconds of the last release. */
  idleSinceMs = 0;
  closed = false;
  #reader: ResponseReader | undefined;
  readonly #idle: H1Upstream[];
  readonly #onClosed: () => void;

  /**
   * @param idle where it waits between exchanges.
   * @param onClosed once.
   */
  constructor(wire: Wire, idle: H1Upstream[], onClosed: () => void) {
    this.wire = wire;
    this.#idle = idle;
    this.#onClosed = onClosed;
    wire.start(this);
  }

  /** Belongs to the exchange until it is released or destroyed. */
  claim(reader: ResponseReader): void {
    this.uses += 1;
    this.#reader = reader;
  }

  /** The exchange is over and the connection good for another. */
  release(nowMs: number): void {
    this.#reader = undefined;
    if (this.closed) return;
    this.idleSinceMs = nowMs;
    this.#idle.push(this);
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
    this.#reader.responseData(chunk);
  }

  onEnd(): void {
    if (this.#reader === undefined) {
      this.#close();
      return this.wire.end();
    }
    this.#reader.responseEnded();
  }

  onDrain(): void {
    this.#reader?.requestDrained();
  }

  onClosed(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#close();
    reader?.connectionClosed();
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    const at = this.#idle.indexOf(this);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#onClosed();
  }
}
