/**
 * The request line (RFC 9112 §3): one space between its parts, a target in origin form, in absolute form or
 * `*`. CONNECT is refused: we are no forward proxy. One empty line may come before it, as RFC 9112 §2.2 wants
 * it for old clients that end a body with one.
 */

import { BACKSLASH, CR, HASH, isVisible, LF, QUESTION, SLASH, SP, sameBytes, TOKEN } from '../bytes.ts';
import { Http1Error, type Http1Reason } from '../error.ts';
import type { Http1Limits } from '../limits.ts';
import { HAS_OTHER_START, type RequestHead } from './message-head.ts';

/** `HTTP/1.1`. */
const VERSION_BYTES = 8;

/** @returns the start of the first field line, or -1: more is needed. */
export function readRequestLine(
  head: RequestHead,
  limits: Readonly<Http1Limits>,
  bytes: Buffer,
  base: number,
  end: number,
): number {
  let line = base + head.line;
  if (line === base && line < end && bytes[line] === CR) {
    if (line + 1 === end) return -1;
    if (bytes[line + 1] !== LF) throw refuse('bare_cr', 'CR without LF');
    line += 2;
    head.line = 2;
    head.flags |= HAS_OTHER_START;
  }
  const stop = line + limits.lineBytes + 2;
  const bound = Math.min(stop, end);
  let at = line;
  while (at < bound && TOKEN[bytes[at]!] === 1) at += 1;
  if (at >= bound) return cut(end >= stop);
  if (bytes[at] !== SP || at === line)
    throw refuse(bytes[at] === LF ? 'bare_lf' : 'bad_method', 'the method is not a token');
  const methodEnd = at;
  if (sameBytes(bytes, line, methodEnd, 'connect')) throw refuse('connect', 'CONNECT is not offered');
  at += 1;
  const target = at;
  at = at < bound && bytes[at] === SLASH ? originForm(bytes, at, bound) : visible(bytes, at, bound);
  if (at >= bound) return cut(end >= stop);
  if (bytes[at] !== SP) throw targetError(bytes[at]!);
  if (at === target) throw refuse('bad_target', 'the request target is missing');
  const targetEnd = at;
  at += 1;
  const lineEnd = at + VERSION_BYTES;
  if (lineEnd + 2 > bound || !isVersion(bytes, at)) return otherVersion(bytes, at, bound, end >= stop);
  if (bytes[lineEnd] !== CR) throw afterVersion(bytes[lineEnd]!);
  if (bytes[lineEnd + 1] !== LF) throw refuse('bare_cr', 'CR without LF');
  head.minor = bytes[lineEnd - 1]! - 0x30;
  if (head.minor === 0) head.flags |= HAS_OTHER_START;
  head.targetStart = target - base;
  head.targetEnd = targetEnd - base;
  head.methodEnd = methodEnd - base;
  head.method = methodOf(bytes, line, methodEnd);
  return lineEnd + 2;
}

/** A path and a query. A fragment is never sent; a backslash in a path is a slash for some readers. */
function originForm(bytes: Buffer, from: number, bound: number): number {
  let at = from;
  while (at < bound) {
    const byte = bytes[at]!;
    if (byte > SP && byte < 0x7f && byte !== HASH && byte !== BACKSLASH && byte !== QUESTION) at += 1;
    else break;
  }
  if (at >= bound || bytes[at] !== QUESTION) return at;
  while (at < bound) {
    const byte = bytes[at]!;
    if (byte > SP && byte < 0x7f && byte !== HASH) at += 1;
    else break;
  }
  return at;
}

function visible(bytes: Buffer, from: number, bound: number): number {
  let at = from;
  while (at < bound && isVisible(bytes[at]!) && bytes[at] !== HASH && bytes[at] !== BACKSLASH) at += 1;
  return at;
}

/** `HTTP/1.0` or `HTTP/1.1`. */
export function isVersion(bytes: Buffer, at: number): boolean {
  return (
    bytes[at] === 0x48 &&
    bytes[at + 1] === 0x54 &&
    bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x50 &&
    bytes[at + 4] === SLASH &&
    bytes[at + 5] === 0x31 &&
    bytes[at + 6] === 0x2e &&
    (bytes[at + 7] === 0x31 || bytes[at + 7] === 0x30)
  );
}

/**
 * The line is cut here, or the version is not one of ours. Decides only when all bytes are there that the
 * decision is about. @returns -1: more is needed.
 */
function otherVersion(bytes: Buffer, from: number, bound: number, full: boolean): number {
  const versionEnd = from + VERSION_BYTES;
  let at = from;
  while (at < bound && at < versionEnd && isVisible(bytes[at]!)) at += 1;
  if (at >= bound) return cut(full);
  if (at < versionEnd) throw afterVersion(bytes[at]!);
  const text = bytes.toString('latin1', from, at);
  if (!/^HTTP\/\d\.\d$/.test(text)) throw refuse('bad_version', 'the version is not HTTP/1.0 or HTTP/1.1');
  if (!isVersion(bytes, from)) throw refuse('unsupported_version', `version ${text}`);
  if (bytes[at] !== CR) throw afterVersion(bytes[at]!);
  return cut(full);
}

function afterVersion(byte: number): Http1Error {
  if (byte === LF) return refuse('bare_lf', 'LF without CR');
  return refuse('bad_version', 'the request line does not end with a version');
}

function targetError(byte: number): Http1Error {
  if (byte === LF) return refuse('bare_lf', 'LF without CR');
  if (byte === CR) return refuse('bad_version', 'no version: HTTP/0.9');
  return refuse('bad_target', 'a character that a request target may not have');
}

function methodOf(bytes: Buffer, from: number, to: number): string {
  switch (to - from) {
    case 3:
      if (bytes[from] === 0x47 && bytes[from + 1] === 0x45 && bytes[from + 2] === 0x54) return 'GET';
      if (bytes[from] === 0x50 && bytes[from + 1] === 0x55 && bytes[from + 2] === 0x54) return 'PUT';
      break;
    case 4:
      if (isExactly(bytes, from, 'POST')) return 'POST';
      if (isExactly(bytes, from, 'HEAD')) return 'HEAD';
      break;
    case 5:
      if (isExactly(bytes, from, 'PATCH')) return 'PATCH';
      break;
    case 6:
      if (isExactly(bytes, from, 'DELETE')) return 'DELETE';
      break;
    case 7:
      if (isExactly(bytes, from, 'OPTIONS')) return 'OPTIONS';
      break;
  }
  return bytes.toString('latin1', from, to);
}

function isExactly(bytes: Buffer, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function cut(full: boolean): number {
  if (full) throw refuse('line_too_long', 'the request line is too long');
  return -1;
}

function refuse(reason: Http1Reason, message: string): Http1Error {
  return new Http1Error('request', reason, message);
}
