/**
 * Bytes of one stream that can't leave yet. Small chunks are copied and packed, since their owner may reuse
 * them; large ones are kept by reference. The bound is the sender's business.
 */

import { COPIED_BYTES, type Output } from './output.ts';

const PACK_BYTES = 4_096;

export class SendQueue {
  readonly #chunks: Buffer[] = [];
  #first = 0;
  /** Bytes of the first chunk that have left. */
  #offset = 0;
  /** The buffer behind the last chunk when that is packed, and how much of it is used. */
  #pack: Buffer | undefined;
  #packed = 0;
  bytes = 0;

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (chunk.length > COPIED_BYTES) {
      this.#pack = undefined;
      this.#chunks.push(chunk);
      return;
    }
    const room = this.#pack === undefined ? 0 : this.#pack.length - this.#packed;
    if (this.#pack === undefined || room < chunk.length) {
      this.#pack = Buffer.allocUnsafeSlow(Math.max(PACK_BYTES, chunk.length));
      this.#packed = chunk.length;
      this.#pack.set(chunk, 0);
      this.#chunks.push(this.#pack.subarray(0, this.#packed));
      return;
    }
    this.#pack.set(chunk, this.#packed);
    this.#packed += chunk.length;
    // The packed chunk is always the last one.
    const last = this.#chunks.length - 1;
    const from = this.#chunks[last]!.byteOffset - this.#pack.byteOffset;
    this.#chunks[last] = this.#pack.subarray(from, this.#packed);
  }

  /** Moves `bytes` (at most what is there) to the output as payload. */
  moveTo(output: Output, bytes: number): void {
    this.bytes -= bytes;
    let left = bytes;
    while (left > 0) {
      const chunk = this.#chunks[this.#first]!;
      const end = Math.min(chunk.length, this.#offset + left);
      output.payload(chunk, this.#offset, end);
      left -= end - this.#offset;
      this.#offset = end;
      if (end === chunk.length) this.#dropFirst();
    }
  }

  #dropFirst(): void {
    this.#offset = 0;
    this.#first += 1;
    if (this.#first === this.#chunks.length) this.#pack = undefined;
    if (this.#first > 32 && this.#first * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
