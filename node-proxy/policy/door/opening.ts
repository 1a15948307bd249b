/**
 * The first moments of a client's connection: what it speaks decides who carries it. What was read meanwhile is
 * handed on.
 */

import type { Timer } from '#base/clock.ts';
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
  /** Not HTTP, and nobody has said it would be. @param client has what was read. */
  opaque?(client: StartedWire): void;
  /** It ended before it said anything that could be told. */
  nothing(): void;
}

/** How long a client may take to say what it speaks. */
export interface Patience {
  after(ms: number, act: () => void): Timer;
  /** Until its first byte, milliseconds; 0: for ever, for it may wait for the other side. */
  silentMs: number;
  /** From its first byte on, milliseconds. */
  lineMs: number;
}

/** Where nobody knows that it is HTTP, a first line that comes in pieces holds bytes back for this long, milliseconds. */
export const LINE_WAIT_MS = 1_000;

export class Opening implements SideEvents {
  readonly #wire: Wire;
  readonly #switch: Switch;
  readonly #declared: boolean;
  readonly #events: OpeningEvents;
  #read: Buffer | undefined;
  #told = false;
  readonly #patience: Patience;
  #timer: Timer | undefined;

  /**
   * Starts the wire: events may come at once.
   * @param declared it is HTTP, whatever it looks like.
   */
  constructor(wire: Wire, declared: boolean, patience: Patience, events: OpeningEvents) {
    this.#wire = wire;
    this.#declared = declared;
    this.#patience = patience;
    this.#events = events;
    if (patience.silentMs > 0) this.#timer = patience.after(patience.silentMs, () => wire.reset());
    this.#switch = new Switch();
    this.#switch.target = this;
    wire.start(this.#switch);
  }

  get told(): boolean {
    return this.#told;
  }

  onData(chunk: Buffer): void {
    const bytes = this.#read === undefined ? chunk : Buffer.concat([this.#read, chunk]);
    const protocol = protocolOf(bytes, this.#declared);
    if (protocol === 'more') {
      if (this.#read === undefined) this.#begun();
      this.#read = this.#read === undefined ? Buffer.from(chunk) : bytes;
      return;
    }
    this.#tell(protocol, bytes);
  }

  onEnd(): void {
    if (!this.#declared) return this.opaque();
    if (this.#read === undefined) this.#wire.end();
    else this.#late();
  }

  onDrain(): void {}

  onClosed(): void {
    if (this.#told) return;
    this.#told = true;
    this.#timer?.cancel();
    this.#events.nothing();
  }

  /** It is not HTTP: somebody else has found out. */
  opaque(): void {
    if (!this.#told) this.#tell('opaque', this.#read ?? NO_BYTES);
  }

  #begun(): void {
    const { after, lineMs } = this.#patience;
    this.#timer?.cancel();
    this.#timer = after(lineMs, () => this.#late());
  }

  /** It takes too long, or came to its end. What is declared is for the parser of HTTP/1.1 to judge. */
  #late(): void {
    if (!this.#told) this.#tell(this.#declared ? 'http1' : 'opaque', this.#read ?? NO_BYTES);
  }

  #tell(protocol: Known, bytes: Buffer): void {
    this.#told = true;
    this.#read = undefined;
    this.#timer?.cancel();
    if (protocol === 'opaque') {
      this.#wire.pause();
      const read = bytes.length === 0 ? [] : [owned(this.#wire, bytes)];
      return this.#events.opaque?.(new StartedWire(this.#wire, this.#switch, read, true));
    }
    const server = this.#events.http(protocol);
    server.onData(bytes);
    this.#switch.to(server);
  }
}

const NO_BYTES = Buffer.alloc(0);
