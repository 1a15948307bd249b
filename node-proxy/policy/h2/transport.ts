/** HTTP/2 over a wire: what the pure code writes to, and how long bytes that it hands out may be kept. */

import { COPIED_BYTES, type H2Transport } from '../../http2/index.ts';
import type { Wire } from '../wire/wire.ts';

export class WireTransport implements H2Transport {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  write(chunk: Buffer): boolean {
    return this.#wire.write(chunk);
  }

  writev(chunks: readonly Buffer[]): boolean {
    const wire = this.#wire;
    let more = true;
    wire.cork();
    for (const chunk of chunks) more = wire.write(chunk);
    wire.uncork();
    return more;
  }

  /** Only this half: with a reset behind it, the last frames might never arrive. Who owns the wire waits and cuts it. */
  end(): void {
    this.#wire.end();
  }

  destroy(): void {
    this.#wire.reset();
  }
}

/** A piece of a body as it may be given to a stream: small ones are copied there, large ones are kept. */
export function lasting(wire: Wire, chunk: Buffer): Buffer {
  return wire.ephemeral && chunk.length > COPIED_BYTES ? Buffer.from(chunk) : chunk;
}
