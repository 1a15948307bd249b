/**
 * HPACK decoding (RFC 7541): a complete header block in, fields out. Every error is a connection error
 * (COMPRESSION_ERROR), since the table can't be trusted after it. The list is bounded: beyond the limit fields
 * are still decoded, to keep the table in step with the peer's, but dropped; so a small block that refers to
 * a large field thousands of times costs nothing.
 */

import { H2Code, HEADER_TABLE_BYTES } from '../constants.ts';
import { Violation } from '../error.ts';
import { DynamicTable, sizeOf } from './dynamic-table.ts';
import type { Header } from './header.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

/** 2^28 is beyond any length or index that can be right, and safe in 32-bit arithmetic. */
const MAX_INTEGER = 0x0fffffff;
const STATIC_LENGTH = STATIC_TABLE.length;
const SCRATCH = Buffer.allocUnsafeSlow(16_384);

export class HpackDecoder {
  readonly #table: DynamicTable;
  /** What the peer's encoder may choose at most. */
  #limit: number;
  /** The limit was lowered: the next block has to begin with a size update (RFC 7541 §4.2). */
  #updateDue = false;
  #buffer: Buffer = SCRATCH;
  #at = 0;
  #end = 0;
  /** The last decoded list was larger than asked for and is incomplete. */
  tooLarge = false;

  /** @param announced SETTINGS_HEADER_TABLE_SIZE as we announce it; counts in full once acknowledged. */
  constructor(announced: number = HEADER_TABLE_BYTES) {
    this.#table = new DynamicTable(HEADER_TABLE_BYTES);
    this.#limit = Math.max(announced, HEADER_TABLE_BYTES);
  }

  get tableSize(): number {
    return this.#table.size;
  }

  /** The peer has acknowledged our SETTINGS. */
  acknowledged(announced: number): void {
    this.#limit = announced;
    this.#updateDue = announced < this.#table.capacity;
  }

  /** @param maxListBytes bound of the list, RFC 9113 §6.5.2 counting. */
  decode(buffer: Buffer, start: number, end: number, maxListBytes: number): Header[] {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.tooLarge = false;
    this.#sizeUpdates();
    const headers: Header[] = [];
    let room = maxListBytes;
    while (this.#at < end) {
      const header = this.#field();
      room -= sizeOf(header);
      if (room >= 0) headers.push(header);
      else this.tooLarge = true;
    }
    this.#buffer = SCRATCH;
    return headers;
  }

  /** RFC 7541 §6.3; only at the beginning of a block. */
  #sizeUpdates(): void {
    while (this.#at < this.#end && (this.#buffer[this.#at]! & 0xe0) === 0x20) {
      const size = this.#integer(0x1f);
      if (size > this.#limit) throw broken('a table size update exceeds the announced limit');
      this.#table.resize(size);
      this.#updateDue = false;
    }
    if (this.#updateDue) throw broken('the table size was lowered but not updated');
  }

  #field(): Header {
    const first = this.#buffer[this.#at]!;
    if ((first & 0x80) !== 0) return this.#entry(this.#integer(0x7f));
    if ((first & 0x40) !== 0) {
      const header = this.#literal(0x3f);
      this.#table.add(header);
      return header;
    }
    if ((first & 0x20) !== 0) throw broken('a table size update inside a block');
    // "Without indexing" and "never indexed" differ only for who encodes again.
    return this.#literal(0x0f);
  }

  #literal(prefix: number): Header {
    const index = this.#integer(prefix);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): Header {
    const header = index < STATIC_LENGTH ? STATIC_TABLE[index] : this.#table.at(index - STATIC_LENGTH);
    if (header === undefined || index === 0) throw broken(`there is no entry ${index}`);
    return header;
  }

  /** RFC 7541 §5.1. */
  #integer(mask: number): number {
    const buffer = this.#buffer;
    if (this.#at >= this.#end) throw truncated();
    let value = buffer[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= this.#end) throw truncated();
      const byte = buffer[this.#at++]!;
      // Four further bytes hold 28 bits; a fifth could only be zeros or nonsense.
      if (shift > 21) throw broken('an integer is too long');
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (value > MAX_INTEGER) throw broken('an integer is too large');
    return value;
  }

  /** RFC 7541 §5.2. */
  #string(): string {
    const buffer = this.#buffer;
    const huffman = this.#at < this.#end && buffer[this.#at]! >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw truncated();
    this.#at = end;
    if (!huffman) return buffer.toString('latin1', start, end);
    const most = Math.ceil((length * 8) / 5);
    const into = most <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(most);
    return into.toString('latin1', 0, decodeHuffman(buffer, start, end, into));
  }
}

function broken(what: string): Violation {
  return new Violation(H2Code.COMPRESSION_ERROR, `header block: ${what}`);
}

function truncated(): Violation {
  return broken('it ends inside a field');
}
