/** The status line (RFC 9112 §4). The space before an empty reason may be missing: many servers leave it out. */

import { CR, HT, LF, SP } from '../bytes.ts';
import { Http1Error, type Http1Reason } from '../error.ts';
import type { Http1Limits } from '../limits.ts';
import { HAS_OTHER_START, type ResponseHead } from './message-head.ts';
import { isVersion } from './request-line.ts';

/** `HTTP/1.1 200`. */
const STATUS_END = 12;
const STATUS_START = 9;

/** @returns the start of the first field line, or -1: more is needed. */
export function readStatusLine(
  head: ResponseHead,
  limits: Readonly<Http1Limits>,
  bytes: Buffer,
  base: number,
  end: number,
): number {
  const stop = base + limits.lineBytes + 2;
  const bound = Math.min(stop, end);
  const full = end >= stop;
  if (base + STATUS_END >= bound) return shortLine(bytes, base, bound, full);
  if (!isVersion(bytes, base) || bytes[base + 8] !== SP) throw lineError(bytes, base);
  const status = statusAt(bytes, base + STATUS_START);
  if (status < 100) throw lineError(bytes, base);
  let at = base + STATUS_END;
  if (bytes[at] === SP) {
    at += 1;
    head.reasonStart = at - base;
    while (at < bound) {
      const byte = bytes[at]!;
      if ((byte > 0x1f && byte !== 0x7f) || byte === HT) at += 1;
      else break;
    }
  } else {
    head.reasonStart = at - base;
    head.flags |= HAS_OTHER_START;
    if (bytes[at] !== CR && bytes[at] !== LF) throw refuse('bad_status', 'the status is not three digits');
  }
  if (at >= bound) return cut(full);
  if (bytes[at] !== CR)
    throw refuse(bytes[at] === LF ? 'bare_lf' : 'bad_status_line', 'a control character in the reason');
  if (at + 1 >= bound) return cut(full);
  if (bytes[at + 1] !== LF) throw refuse('bare_cr', 'CR without LF');
  head.status = status;
  head.minor = bytes[base + 7]! - 0x30;
  if (head.minor === 0) head.flags |= HAS_OTHER_START;
  return at + 2;
}

/** @returns three digits as a number, or -1. */
function statusAt(bytes: Buffer, at: number): number {
  const hundreds = bytes[at]! - 0x30;
  const tens = bytes[at + 1]! - 0x30;
  const ones = bytes[at + 2]! - 0x30;
  if (hundreds < 0 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return -1;
  return hundreds * 100 + tens * 10 + ones;
}

/** Too few bytes to be a status line; unless their line ends here, more is needed. */
function shortLine(bytes: Buffer, from: number, bound: number, full: boolean): number {
  for (let at = from; at < bound; at++) if (bytes[at] === LF) throw lineError(bytes, from);
  return cut(full);
}

function lineError(bytes: Buffer, from: number): Http1Error {
  const start = bytes.toString('latin1', from, from + STATUS_END);
  const lineEnd = start.indexOf('\n');
  if (lineEnd >= 0)
    return refuse(
      start[lineEnd - 1] === '\r' ? 'bad_status_line' : 'bare_lf',
      'the status line is cut short',
    );
  if (/^HTTP\/1\.[01] /.test(start)) return refuse('bad_status', 'the status is not three digits');
  if (/^HTTP\/\d\.\d /.test(start)) return refuse('unsupported_version', `version ${start.slice(0, 8)}`);
  return refuse('bad_status_line', 'not a status line');
}

function cut(full: boolean): number {
  if (full) throw refuse('line_too_long', 'the status line is too long');
  return -1;
}

function refuse(reason: Http1Reason, message: string): Http1Error {
  return new Http1Error('response', reason, message);
}
