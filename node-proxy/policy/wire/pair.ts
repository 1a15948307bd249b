/**
 * Two wires within this thread, each the far end of the other: the way from a pod to a pod of the same node that
 * judges requests. It is the same door as for everybody else, without a socket in between.
 *
 * Bytes are delivered in a later turn, so that no call comes back into its caller; a writer is told to wait while
 * more than HELD_BYTES are under way.
 */

import type { Wire, WireEvents } from './wire.ts';

const HELD_BYTES = 64 * 1024;

export function wirePair(): [Wire, Wire] {
  const a = new PairedWire();
  const b = new PairedWire();
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class PairedWire implements Wire {
  readonly ephemeral = false;
  peer!: PairedWire;
  #events: WireEvents | undefined;
  readonly #arrived: Buffer[] = [];
  #held = 0;
  #paused = false;
  #peerWaits = false;
  /** This end has said its last byte; the far end has; the reader was told so. */
  #ended = false;
  #farEnded = false;
  #toldEnd = false;
  #closed: 'no' | 'clean' | 'broken' = 'no';
  #told = false;
  #scheduled = false;

  get flushed(): boolean {
    return this.#closed !== 'no' || (this.#ended && this.peer.#held === 0);
  }

  start(events: WireEvents): void {
    this.#events = events;
    this.#schedule();
  }

  write(chunk: Buffer): boolean {
    if (this.#ended || this.#closed !== 'no') return true;
    return this.peer.#take(chunk);
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text, 'latin1'));
  }

  cork(): void {}
  uncork(): void {}

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.peer.#farEnded = true;
    this.peer.#schedule();
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  reset(): void {
    this.#close('broken');
    this.peer.#close('broken');
  }

  #take(chunk: Buffer): boolean {
    this.#arrived.push(chunk);
    this.#held += chunk.length;
    this.#schedule();
    if (this.#held <= HELD_BYTES) return true;
    this.#peerWaits = true;
    return false;
  }

  #close(how: 'clean' | 'broken'): void {
    if (this.#closed !== 'no') return;
    this.#closed = how;
    if (how === 'broken') {
      this.#arrived.length = 0;
      this.#held = 0;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#events === undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const events = this.#events as WireEvents;
    while (!this.#paused && this.#closed !== 'broken') {
      const chunk = this.#arrived.shift();
      if (chunk === undefined) break;
      this.#held -= chunk.length;
      events.onData(chunk);
    }
    if (this.#peerWaits && this.#held <= HELD_BYTES / 2) {
      this.#peerWaits = false;
      this.peer.#events?.onDrain();
    }
    if (this.#closed !== 'broken' && this.#farEnded && !this.#toldEnd && this.#held === 0) {
      this.#toldEnd = true;
      events.onEnd();
    }
    if (this.#closed === 'no' && this.#toldEnd && this.#ended) this.#closed = 'clean';
    if (this.#closed !== 'no' && !this.#told) {
      this.#told = true;
      events.onClosed(this.#closed === 'clean');
    }
  }
}
