/**
 * HPACK encoding (RFC 7541): static table and plain literals, no table of our own and no Huffman code. Costs
 * a few bytes, saves CPU and state, and makes the encoding of a field independent of the connection.
 */

import type { Header } from './header.ts';
import { STATIC_NAMES } from './static-table.ts';

/** First byte of a literal without indexing (§6.2.2) and never indexed (§6.2.3). */
const WITHOUT_INDEXING = 0x00;
const NEVER_INDEXED = 0x10;
/** Values that no intermediary may put into a shared table (§7.1.3). */
const SECRET_NAMES = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
/** Type and two lengths of at most five bytes each. */
const LITERAL_OVERHEAD = 11;

/** Bytes that {@link encodeHeadersInto} may write at most. */
export function encodedBound(headers: readonly Header[]): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + LITERAL_OVERHEAD;
  return bytes;
}

/**
 * Writes a header block at `at`; there must be room (see {@link encodedBound}). Strings are taken as latin1,
 * and must have been checked (header-rules.ts).
 * @returns the offset behind it.
 */
export function encodeHeadersInto(headers: readonly Header[], into: Buffer, start: number): number {
  let at = start;
  for (const [name, value] of headers) {
    const known = STATIC_NAMES.get(name);
    const full = known?.values.get(value);
    if (full !== undefined) {
      into[at++] = 0x80 | full;
      continue;
    }
    const type = SECRET_NAMES.has(name) ? NEVER_INDEXED : WITHOUT_INDEXING;
    if (known === undefined) {
      into[at++] = type;
      at = putString(name, into, at);
    } else at = putInteger(type, 0x0f, known.index, into, at);
    at = putString(value, into, at);
  }
  return at;
}

function putString(text: string, into: Buffer, start: number): number {
  const at = putInteger(0, 0x7f, text.length, into, start);
  return at + into.write(text, at, 'latin1');
}

/** RFC 7541 §5.1. */
export function putInteger(type: number, mask: number, value: number, into: Buffer, start: number): number {
  let at = start;
  if (value < mask) {
    into[at++] = type | value;
    return at;
  }
  into[at++] = type | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) into[at++] = 0x80 | (rest & 0x7f);
  into[at++] = rest;
  return at;
}
