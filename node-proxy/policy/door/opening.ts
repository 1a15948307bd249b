/**
 * The first moments of a client's connection: what it speaks decides who carries it. What was read meanwhile is
 * handed on.
 */

import type { SideEvents } from '../../tunnel/index.ts';
import { StartedWire, Switch } from '../wire/started.ts';
import { owned, type Wire } from '../wire/wire.ts';
import { type Protocol, protocolOf } from './first-bytes.ts';

type Known = Exclude<Protocol, 'more'>;

/** What carries HTTP on a wire. */
export interface HttpServer extends SideEvents {
  /** Ends it at once. */
  breakOff(reason: string): void;
  /** To be called every second. */
  check(nowMs: number): void;
}

export interface OpeningEvents {
  /** @returns who carries it; gets all that was read. */
  http(version: 'http1' | 'http2'): HttpServer;
  /** Not HTTP. @param client has what was read. */
  opaque(client: StartedWire): void;
  /** It ended before it said anything that could be told. */
  nothing(): void;
}

/** A first line that comes in pieces is waited for this long, milliseconds. */
export const LINE_WAIT_MS = 1_000;

export class Opening implements SideEvents {
  readonly #wire: Wire;
  readonly #switch: Switch;
  readonly #declared: boolean;
  readonly #events: OpeningEvents;
  #read: Buffer | undefined;
  #told = false;

  /** Starts the wire. */
  constructor(wire: Wire, declared: boolean, events: OpeningEvents) {
    this.#wire = wire;
    this.#declared = declared;
    this.#events = events;
    this.#switch = new Switch();
    this.#switch.target = this;
    wire.start(this.#switch);
  }

  /** Bytes have come, but not enough to tell. */
  get undecided(): boolean {
    return !this.#told && this.#read !== undefined;
  }

  get told(): boolean {
    return this.#told;
  }

  onData(chunk: Buffer): void {
    const bytes = this.#read === undefined ? chunk : Buffer.concat([this.#read, chunk]);
    const protocol = protocolOf(bytes, this.#declared);
    if (protocol === 'more') {
      this.#read = this.#read === undefined ? Buffer.from(chunk) : bytes;
      return;
    }
    this.#tell(protocol, bytes);
  }

  onEnd(): void {
    // A half-close after nothing, or after a piece of something: bytes for whoever listens there.
    if (this.#declared && this.#read === undefined) return this.#wire.end();
    this.opaque();
  }

  onDrain(): void {}

  onClosed(): void {
    if (this.#told) return;
    this.#told = true;
    this.#events.nothing();
  }

  /** It is not HTTP: somebody else has found out, or the first line takes too long. */
  opaque(): void {
    if (!this.#told) this.#tell('opaque', this.#read ?? NO_BYTES);
  }

  #tell(protocol: Known, bytes: Buffer): void {
    this.#told = true;
    this.#read = undefined;
    if (protocol === 'opaque') {
      this.#wire.pause();
      const read = bytes.length === 0 ? [] : [owned(this.#wire, bytes)];
      return this.#events.opaque(new StartedWire(this.#wire, this.#switch, read, true));
    }
    const server = this.#events.http(protocol);
    this.#switch.to(server);
    server.onData(bytes);
  }
}

const NO_BYTES = Buffer.alloc(0);
