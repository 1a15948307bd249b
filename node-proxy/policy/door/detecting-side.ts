/**
 * A client whose protocol nobody declared, as the side of a relay to an endpoint: if the server speaks first, or
 * the client's first bytes are not HTTP, it simply is that. If they are HTTP, the relay sees an end without a byte,
 * and the client is carried by who understands it.
 */

import type { Side, SideEvents } from '../../tunnel/index.ts';
import type { Wire } from '../wire/wire.ts';
import { type HttpServer, Opening, type Patience } from './opening.ts';

export class DetectingSide implements Side {
  readonly #wire: Wire;
  readonly #patience: Patience;
  readonly #http: (version: 'http1' | 'http2') => HttpServer;
  #opening: Opening | undefined;
  #side: Side | undefined;
  #gone = false;

  constructor(wire: Wire, patience: Patience, http: (version: 'http1' | 'http2') => HttpServer) {
    this.#wire = wire;
    this.#patience = patience;
    this.#http = http;
  }

  start(events: SideEvents): void {
    this.#opening = new Opening(this.#wire, false, this.#patience, {
      http: version => {
        this.#gone = true;
        events.onEnd();
        events.onClosed(true);
        return this.#http(version);
      },
      opaque: side => {
        this.#side = side;
        side.start(events);
      },
      nothing: () => events.onClosed(false),
    });
  }

  write(chunk: Buffer): boolean {
    if (this.#gone) return true;
    // The server speaks first.
    if (this.#side === undefined) this.#opening?.opaque();
    return this.#wire.write(chunk);
  }

  end(): void {
    if (this.#gone) return;
    if (this.#side === undefined) this.#opening?.opaque();
    this.#wire.end();
  }

  pause(): void {
    if (!this.#gone) (this.#side ?? this.#wire).pause();
  }

  resume(): void {
    if (!this.#gone) (this.#side ?? this.#wire).resume();
  }

  reset(): void {
    if (!this.#gone) this.#wire.reset();
  }
}
