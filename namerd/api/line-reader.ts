/**
 * Cuts a byte stream into lines of JSON. Whatever arrives, memory stays below one line's limit plus a chunk, and
 * time is linear: a line that comes byte by byte is joined once, at its end.
 */

import { messageOf } from '#base/errors.ts';
import { MeshApiError } from './mesh-error.ts';

const NEWLINE = 0x0a;

export class LineReader {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes the longest line, its end excluded. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Calls `onLine` with the value of each line that this chunk completes.
   * @throws MeshApiError NM_MESH_PROTOCOL when a line is too long or no JSON; the stream is of no use afterwards.
   */
  push(chunk: Buffer, onLine: (value: unknown) => void): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      onLine(parse(this.#take(chunk.subarray(start, end))));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** Bytes of the line that is not complete yet. */
  get pending(): number {
    return this.#bytes;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      this.#parts = [];
      throw MeshApiError.failure('NM_MESH_PROTOCOL', `a line is longer than ${this.#maxBytes} bytes`);
    }
    this.#parts.push(part);
    // Many tiny parts would cost more in objects than in bytes.
    if (this.#parts.length >= 1024) this.#parts = [Buffer.concat(this.#parts)];
  }

  #take(last: Buffer): string {
    if (this.#bytes + last.length > this.#maxBytes) this.#keep(last);
    const line = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#bytes = 0;
    return line.toString('utf8');
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw MeshApiError.failure('NM_MESH_PROTOCOL', `a line is no JSON: ${messageOf(error)}`);
  }
}
