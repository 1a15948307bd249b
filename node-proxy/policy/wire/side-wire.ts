/** A stream of a tunnel, or any other side, as a wire. */

import type { Side } from '../../tunnel/index.ts';
import type { Wire, WireEvents } from './wire.ts';

export class SideWire implements Wire {
  readonly ephemeral = false;
  readonly #side: Side;
  #retired = false;

  constructor(side: Side) {
    this.#side = side;
  }

  get flushed(): boolean {
    return this.#side.flushed !== false;
  }

  get retired(): boolean {
    return this.#retired || this.#side.retired === true;
  }

  set retired(retired: boolean) {
    this.#retired = retired;
  }

  start(events: WireEvents): void {
    this.#side.start(events);
  }

  write(chunk: Buffer): boolean {
    return this.#side.write(chunk);
  }

  writeText(text: string): boolean {
    return this.#side.write(Buffer.from(text, 'latin1'));
  }

  // Streams gather what is written in one turn anyway.
  cork(): void {}
  uncork(): void {}

  end(): void {
    this.#side.end();
  }

  pause(): void {
    this.#side.pause();
  }

  resume(): void {
    this.#side.resume();
  }

  reset(): void {
    this.#side.reset();
  }
}
