/** A wire that was started already, and of which something may have been read: for who carries it from now on. */

import type { SideEvents } from '../../tunnel/index.ts';
import type { Wire, WireEvents } from './wire.ts';

/** Lets the listener of a wire be another one later. What comes while there is none, it hears first. */
export class Switch implements SideEvents {
  target: SideEvents | undefined;
  #early: Buffer[] | undefined;
  #ended = false;
  #closed: boolean | undefined;

  onData(chunk: Buffer): void {
    if (this.target !== undefined) return this.target.onData(chunk);
    // A paused wire still delivers what is on its way: a read, or a window.
    this.#early ??= [];
    this.#early.push(Buffer.from(chunk));
  }

  onEnd(): void {
    this.#ended = true;
    this.target?.onEnd();
  }

  onDrain(): void {
    this.target?.onDrain();
  }

  onClosed(clean: boolean): void {
    this.#closed = clean;
    this.target?.onClosed(clean);
  }

  /** @param target hears also of an end that came before it. */
  to(target: SideEvents): void {
    this.target = target;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) for (const chunk of early) target.onData(chunk);
    if (this.#ended) target.onEnd();
    if (this.#closed !== undefined) target.onClosed(this.#closed);
  }
}

export class StartedWire implements Wire {
  readonly ephemeral: boolean;
  readonly #wire: Wire;
  readonly #switch: Switch;
  readonly #read: readonly Buffer[];
  /** By who listens now. */
  #paused = false;

  /**
   * @param listening what the wire was started with.
   * @param read copies of what has come so far.
   * @param keeps who listens keeps chunks: then each is copied where they are overwritten.
   */
  constructor(wire: Wire, listening: Switch, read: readonly Buffer[], keeps: boolean) {
    this.#wire = wire;
    this.#switch = listening;
    this.#read = read;
    this.ephemeral = wire.ephemeral && !keeps;
  }

  /** A wire that was not started yet, for who keeps chunks. */
  static of(wire: Wire): StartedWire {
    const listening = new Switch();
    wire.start(listening);
    wire.pause();
    return new StartedWire(wire, listening, [], true);
  }

  get flushed(): boolean {
    return this.#wire.flushed;
  }

  start(events: WireEvents): void {
    for (const chunk of this.#read) events.onData(chunk);
    const copied = this.#wire.ephemeral && !this.ephemeral;
    this.#switch.to(copied ? copying(events) : events);
    if (!this.#paused) this.#wire.resume();
  }

  write(chunk: Buffer): boolean {
    return this.#wire.write(chunk);
  }

  writeText(text: string): boolean {
    return this.#wire.writeText(text);
  }

  cork(): void {
    this.#wire.cork();
  }

  uncork(): void {
    this.#wire.uncork();
  }

  end(): void {
    this.#wire.end();
  }

  pause(): void {
    this.#paused = true;
    this.#wire.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#wire.resume();
  }

  reset(): void {
    this.#wire.reset();
  }
}

function copying(events: WireEvents): WireEvents {
  return {
    onData: chunk => events.onData(Buffer.from(chunk)),
    onEnd: () => events.onEnd(),
    onDrain: () => events.onDrain(),
    onClosed: clean => events.onClosed(clean),
  };
}
