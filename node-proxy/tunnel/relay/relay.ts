/**
 * Moves bytes both ways between two sides, with backpressure and half-close, until both have closed or one
 * broke; then the other is reset too, so that nobody mistakes a break for an end.
 */

import type { Side, SideEvents } from './side.ts';

export type RelayEnd = 'closed' | 'client_reset' | 'upstream_reset' | 'broken_off';

export interface RelayMeter {
  /** Bytes from the client (the side that connected). */
  sent(bytes: number): void;
  /** Bytes from the upstream. */
  received(bytes: number): void;
  /** Once, at the end. */
  done(end: RelayEnd): void;
}

export class Relay {
  readonly #client: Side;
  readonly #upstream: Side;
  readonly #meter: RelayMeter;
  #open = 2;
  #ended = false;

  constructor(client: Side, upstream: Side, meter: RelayMeter) {
    this.#client = client;
    this.#upstream = upstream;
    this.#meter = meter;
  }

  start(): void {
    this.#upstream.start(new FromUpstream(this, this.#client, this.#upstream, this.#meter));
    this.#client.start(new FromClient(this, this.#upstream, this.#client, this.#meter));
  }

  /** Ends both sides at once with a reset. */
  breakOff(end: RelayEnd = 'broken_off'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#client.reset();
    this.#upstream.reset();
    this.#meter.done(end);
  }

  /** @internal One side has closed. */
  closed(clean: boolean, end: RelayEnd): void {
    if (this.#ended) return;
    if (!clean) return this.breakOff(end);
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#ended = true;
    this.#meter.done('closed');
  }
}

abstract class Direction implements SideEvents {
  protected readonly relay: Relay;
  protected readonly meter: RelayMeter;
  readonly #to: Side;
  readonly #from: Side;

  constructor(relay: Relay, to: Side, from: Side, meter: RelayMeter) {
    this.relay = relay;
    this.meter = meter;
    this.#to = to;
    this.#from = from;
  }

  onData(chunk: Buffer): void {
    this.count(chunk.length);
    if (!this.#to.write(chunk)) this.#from.pause();
  }

  onEnd(): void {
    this.#to.end();
  }

  /** This side can take more: the other may go on reading. */
  onDrain(): void {
    this.#to.resume();
  }

  abstract onClosed(clean: boolean): void;
  protected abstract count(bytes: number): void;
}

class FromClient extends Direction {
  protected override count(bytes: number): void {
    this.meter.sent(bytes);
  }
  override onClosed(clean: boolean): void {
    this.relay.closed(clean, 'client_reset');
  }
}

class FromUpstream extends Direction {
  protected override count(bytes: number): void {
    this.meter.received(bytes);
  }
  override onClosed(clean: boolean): void {
    this.relay.closed(clean, 'upstream_reset');
  }
}
