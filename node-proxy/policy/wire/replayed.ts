/** A wire of which something was read already, as the side of a relay: what was read comes first. */

import type { Side, SideEvents } from '../../tunnel/index.ts';
import type { Wire } from './wire.ts';

/** Moves a wire that is already started to other listeners. */
export class Switch implements SideEvents {
  target: SideEvents | undefined;
  #ended = false;
  #closed: boolean | undefined;

  onData(chunk: Buffer): void {
    this.target?.onData(chunk);
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

  /** The new listener hears of an end that came before it. */
  to(target: SideEvents): void {
    this.target = target;
    if (this.#ended) target.onEnd();
    if (this.#closed !== undefined) target.onClosed(this.#closed);
  }
}

export class ReplayedSide implements Side {
  readonly #wire: Wire;
  readonly #switch: Switch;
  readonly #read: readonly Buffer[];

  /** @param wire started with the switch. @param read copies of what has come so far. */
  constructor(wire: Wire, events: Switch, read: readonly Buffer[]) {
    this.#wire = wire;
    this.#switch = events;
    this.#read = read;
  }

  start(events: SideEvents): void {
    for (const chunk of this.#read) events.onData(chunk);
    const { ephemeral } = this.#wire;
    this.#switch.to(
      ephemeral
        ? {
            onData: chunk => events.onData(Buffer.from(chunk)),
            onEnd: () => events.onEnd(),
            onDrain: () => events.onDrain(),
            onClosed: clean => events.onClosed(clean),
          }
        : events,
    );
    this.#wire.resume();
  }

  write(chunk: Buffer): boolean {
    return this.#wire.write(chunk);
  }
  end(): void {
    this.#wire.end();
  }
  pause(): void {
    this.#wire.pause();
  }
  resume(): void {
    this.#wire.resume();
  }
  reset(): void {
    this.#wire.reset();
  }
}
