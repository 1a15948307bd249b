/**
 * Field lines, each byte looked at once (RFC 9112 §5). Lines are complete or not read at all: a head that
 * comes in pieces goes on at the line that was cut. Which error a broken head gives depends on its bytes
 * only, never on the pieces it came in.
 */

import { COLON, CR, HT, LF, SP, TOKEN } from '../bytes.ts';
import { Http1Error } from '../error.ts';
import type { Http1Limits } from '../limits.ts';
import { HOP, kindOf, PLAIN } from './known-fields.ts';
import { HAS_HOP, KIND_BITS, type MessageHead, SLOTS } from './message-head.ts';
import { takeField } from './take-field.ts';

/**
 * Reads from `head.line` on. @param base where the head's first byte is in `bytes`.
 * @returns the end of the head, after the empty line, or -1: more is needed.
 */
export function readFields(
  head: MessageHead,
  limits: Readonly<Http1Limits>,
  bytes: Buffer,
  base: number,
  end: number,
): number {
  const headStop = base + limits.headBytes;
  const lineRoom = limits.fieldBytes + 2;
  let table = head.table;
  let line = base + head.line;
  for (;;) {
    // One bound for all loops: the line's limit, the head's, or what is there.
    const stop = Math.min(line + lineRoom, headStop);
    const bound = Math.min(stop, end);
    let at = line;
    while (at < bound) {
      const byte = bytes[at]!;
      if ((byte > 0x60 && byte < 0x7b) || (byte > 0x40 && byte < 0x5b) || byte === 0x2d || TOKEN[byte] === 1)
        at += 1;
      else break;
    }
    if (at >= bound) return cut(head, line - base, stop === headStop, end >= stop);
    const nameEnd = at;
    if (bytes[at] !== COLON || at === line) {
      if (at !== line || bytes[at] !== CR) throw nameError(head, bytes, line, at);
      if (at + 1 >= bound) return cut(head, line - base, stop === headStop, end >= stop);
      if (bytes[at + 1] !== LF) throw new Http1Error(head.side, 'bare_cr', 'CR without LF');
      return at + 2;
    }
    at += 1;
    while (at < bound && (bytes[at] === SP || bytes[at] === HT)) at += 1;
    const valueStart = at;
    while (at < bound) {
      const byte = bytes[at]!;
      if ((byte > 0x1f && byte !== 0x7f) || byte === HT) at += 1;
      else break;
    }
    if (at >= bound) return cut(head, line - base, stop === headStop, end >= stop);
    if (bytes[at] !== CR) throw valueError(head, bytes[at]!);
    if (at + 1 >= bound) return cut(head, line - base, stop === headStop, end >= stop);
    if (bytes[at + 1] !== LF) throw new Http1Error(head.side, 'bare_cr', 'CR without LF');
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HT)) valueEnd -= 1;

    if (head.count === limits.fields)
      throw new Http1Error(head.side, 'too_many_headers', `more than ${limits.fields} fields`);
    let kind = kindOf(bytes, line, nameEnd);
    if (kind === HOP) head.flags |= HAS_HOP;
    else if (kind !== PLAIN) kind = takeField(head, kind, bytes, base, valueStart, valueEnd);
    const slot = head.count * SLOTS;
    if (slot === table.length) table = head.grown();
    table[slot] = line - base;
    table[slot + 1] = ((nameEnd - line) << KIND_BITS) | kind;
    table[slot + 2] = valueStart - base;
    table[slot + 3] = valueEnd - base;
    head.count += 1;
    line = at + 2;
  }
}

/** The bytes end within a line. @returns -1 when more may come. @throws Http1Error when there is no room for more. */
function cut(head: MessageHead, line: number, ofHead: boolean, full: boolean): number {
  if (full && ofHead) throw new Http1Error(head.side, 'header_too_large', 'the head is too large');
  if (full) throw new Http1Error(head.side, 'field_too_long', 'a field line is too long');
  head.line = line;
  return -1;
}

function nameError(head: MessageHead, bytes: Buffer, line: number, at: number): Http1Error {
  const byte = bytes[at];
  if (byte === LF) return new Http1Error(head.side, 'bare_lf', 'LF without CR');
  if (byte === CR) return new Http1Error(head.side, 'bad_name', 'a field line without a colon');
  if (byte === SP || byte === HT) {
    if (at === line)
      return new Http1Error(head.side, 'obs_fold', 'a field line that begins with white space');
    return new Http1Error(head.side, 'space_before_colon', 'white space in or after a field name');
  }
  return new Http1Error(head.side, 'bad_name', 'a field name that is not a token');
}

function valueError(head: MessageHead, byte: number): Http1Error {
  if (byte === LF) return new Http1Error(head.side, 'bare_lf', 'LF without CR');
  return new Http1Error(head.side, 'bad_value', 'a control character in a field value');
}
