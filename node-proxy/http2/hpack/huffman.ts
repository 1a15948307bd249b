/**
 * The Huffman code of HPACK (RFC 7541 §5.2 and appendix B), decoding only: we send plain literals. The code is
 * canonical, so the lengths alone define it. Decoding walks tables of 256 entries, one input byte per step.
 */

import { H2Code } from '../constants.ts';
import { Violation } from '../error.ts';

const EOS = 256;

/** Code length in bits of the symbols 0 to 255 and EOS, as `length` or `length x repetitions`. */
const LENGTHS = `13 23 28x7 24 30 28x2 30 28x8 30 28x9 6 10x2 12 13 6 8 11 10x2 8 11 8 6x3 5x3 6x7 7 8 15 6 12 10
13 6 7x22 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6x3 5 7x2 6x3 5 6 7 6 5x2 6 7x5 15 11 14 13 28 20 22 20x2 22x3 23
22 23x5 24 23 24x2 22 23 24 23x4 21 22 23 22 23x2 24 22 21 20 22x2 23x2 21 23 22x2 24 21 22 23x2 21x2 22 21
23 22 23x2 20 22x3 23 22x2 23 26x2 20 19 22 23 22 25 26x3 27x2 26 24 25 19 21 26 27x2 26 27 24 21x2 26x2 28
27x3 20 24 20 21 22 21x2 23 22x2 25x2 24x2 26 23 26 27 26x2 27x5 28 27x5 26 30`;

/**
 * Entry of a table: 0 = no such code; positive = symbol << 8 | bits used of this byte; negative = number of
 * the next table, negated. Tables lie one after the other, 256 entries each; the root is the first.
 */
const TABLES = buildTables();

/**
 * Decodes `from[start, end)` into `into`, which needs room for 8/5 of the input.
 * @returns the number of bytes written.
 * @throws Violation COMPRESSION_ERROR on EOS, an unknown code, or padding that is not the start of EOS.
 */
export function decodeHuffman(from: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let bits = 0;
  let bitCount = 0;
  let table = 0;
  let written = 0;
  /** Bits since the last whole symbol: padding must be shorter than a byte. */
  let pending = 0;
  for (let i = start; i < end; i++) {
    bits = ((bits << 8) | from[i]!) & 0xffff;
    bitCount += 8;
    pending += 8;
    while (bitCount >= 8) {
      const entry = TABLES[table + ((bits >>> (bitCount - 8)) & 0xff)]!;
      if (entry > 0) {
        into[written++] = entry >>> 8;
        bitCount -= entry & 0xff;
        pending = bitCount;
        table = 0;
      } else if (entry < 0) {
        bitCount -= 8;
        table = -entry << 8;
      } else throw badCode();
    }
  }
  while (bitCount > 0) {
    const entry = TABLES[table + ((bits << (8 - bitCount)) & 0xff)]!;
    if (entry <= 0 || (entry & 0xff) > bitCount) break;
    into[written++] = entry >>> 8;
    bitCount -= entry & 0xff;
    pending = bitCount;
    table = 0;
  }
  const mask = (1 << bitCount) - 1;
  if (pending > 7 || (bits & mask) !== mask) throw badCode();
  return written;
}

function badCode(): Violation {
  return new Violation(H2Code.COMPRESSION_ERROR, 'a Huffman-coded string is malformed');
}

/** Symbols with their codes, shortest first: each code is the one before plus one, shifted to its length. */
export function canonicalCodes(): { symbol: number; code: number; length: number }[] {
  const lengths = LENGTHS.split(/\s+/).flatMap(item => {
    const [length, repetitions = '1'] = item.split('x');
    return Array<number>(Number(repetitions)).fill(Number(length));
  });
  const codes = lengths.map((length, symbol) => ({ symbol, code: 0, length }));
  codes.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  codes.reduce((before, next) => {
    next.code = (before.code + 1) * 2 ** (next.length - before.length);
    return next;
  });
  return codes;
}

function buildTables(): Int32Array {
  const tables: number[] = Array<number>(256).fill(0);
  for (const { symbol, code, length } of canonicalCodes()) {
    // Reading EOS is an error (RFC 7541 §5.2): its entries stay 0.
    if (symbol === EOS) continue;
    let table = 0;
    let rest = length;
    for (; rest > 8; rest -= 8) {
      const slot = table + ((code >>> (rest - 8)) & 0xff);
      if (tables[slot] === 0) {
        tables[slot] = -(tables.length >>> 8);
        for (let i = 0; i < 256; i++) tables.push(0);
      }
      table = -tables[slot]! << 8;
    }
    const first = table + ((code << (8 - rest)) & 0xff);
    for (let i = 0; i < 1 << (8 - rest); i++) tables[first + i] = (symbol << 8) | rest;
  }
  return Int32Array.from(tables);
}
