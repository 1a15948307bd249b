/**
 * Puts a header block together from HEADERS and CONTINUATION (RFC 9113 §4.3, §6.2, §6.10). A block in one
 * frame, the usual case, is not copied. Bounded in bytes and in frames: CONTINUATION without end was a
 * denial of service in many servers (CVE-2024-27316 and its kin).
 */

import {
  CONTINUATION,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  H2Code,
} from '../constants.ts';
import { Violation } from '../error.ts';

const EMPTY = Buffer.alloc(0);
const PRIORITY_BYTES = 5;

export class HeaderBlock {
  readonly #maxBytes: number;
  readonly #maxContinuations: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Of the last complete block; the bytes are [start, end) of `buffer`, valid until the next frame. */
  endStream = false;
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;

  constructor(maxBytes: number, maxContinuations: number) {
    this.#maxBytes = maxBytes;
    this.#maxContinuations = maxContinuations;
  }

  /** Takes a frame, in the order that the reader guarantees. @returns whether the block is complete. */
  take(type: number, flags: number, payload: Buffer, from: number, to: number): boolean {
    let start = from;
    let end = to;
    if (type !== CONTINUATION) {
      this.endStream = (flags & FLAG_END_STREAM) !== 0;
      if ((flags & FLAG_PADDED) !== 0) {
        if (start === end) throw new Violation(H2Code.FRAME_SIZE_ERROR, 'HEADERS without its padding length');
        end -= payload[start++]!;
      }
      if ((flags & FLAG_PRIORITY) !== 0) start += PRIORITY_BYTES;
      if (start > end) throw new Violation(H2Code.PROTOCOL_ERROR, 'HEADERS too short for its flags');
      if ((flags & FLAG_END_HEADERS) !== 0) {
        this.buffer = payload;
        this.start = start;
        this.end = end;
        return true;
      }
    }
    this.#add(payload, start, end);
    if ((flags & FLAG_END_HEADERS) === 0) return false;
    this.buffer = Buffer.concat(this.#parts, this.#bytes);
    this.start = 0;
    this.end = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    return true;
  }

  #add(payload: Buffer, start: number, end: number): void {
    this.#bytes += end - start;
    if (this.#bytes > this.#maxBytes)
      throw new Violation(H2Code.ENHANCE_YOUR_CALM, `a header block of more than ${this.#maxBytes} bytes`);
    if (this.#parts.length > this.#maxContinuations)
      throw new Violation(H2Code.ENHANCE_YOUR_CALM, 'a header block in too many frames');
    this.#parts.push(Buffer.from(payload.subarray(start, end)));
  }
}
