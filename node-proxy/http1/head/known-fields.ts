/**
 * The fields that mean something to a proxy, found by length and bytes while a head is read, without making a
 * text of any name. Names that an application may take for one of them (CGI and WSGI turn `_` and `-` into the
 * same variable) are known too, so that nobody smuggles framing or an identity past us in such a name.
 */

import { sameBytes } from '../bytes.ts';

/** A field's kind. From {@link FIRST_DROPPED} on, it is for this hop only and never forwarded. */
export const PLAIN = 0;
export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const EXPECT = 4;
export const UPGRADE = 5;
export const TE = 6;
/** Only the mesh may set it. */
export const RESERVED = 7;
/** Looks like a framing field but is none. */
export const AMBIGUOUS = 8;
export const FIRST_DROPPED = 9;
export const CONNECTION = 9;
export const HOP = 10;

export function kindOf(bytes: Uint8Array, at: number, end: number): number {
  switch (end - at) {
    case 2:
      return sameBytes(bytes, at, end, 'te') ? TE : PLAIN;
    case 4:
      if (sameBytes(bytes, at, end, 'host')) return HOST;
      break;
    case 6:
      if (sameBytes(bytes, at, end, 'expect')) return EXPECT;
      break;
    case 7:
      if (sameBytes(bytes, at, end, 'upgrade')) return UPGRADE;
      break;
    case 10:
      if (sameBytes(bytes, at, end, 'connection')) return CONNECTION;
      if (sameBytes(bytes, at, end, 'keep-alive')) return HOP;
      break;
    case 14:
      if (sameDashed(bytes, at, end, 'content-length'))
        return bytes[at + 7] === 0x5f ? AMBIGUOUS : CONTENT_LENGTH;
      if (sameBytes(bytes, at, end, 'http2-settings')) return HOP;
      break;
    case 16:
      if (sameBytes(bytes, at, end, 'proxy-connection')) return HOP;
      break;
    case 17:
      if (sameDashed(bytes, at, end, 'transfer-encoding'))
        return bytes[at + 8] === 0x5f ? AMBIGUOUS : TRANSFER_ENCODING;
      break;
    case 23:
      if (sameDashed(bytes, at, end, 'x-forwarded-client-cert')) return RESERVED;
      break;
  }
  return (bytes[at]! | 0x20) === 0x6c && end - at >= 4 && sameDashed(bytes, at, at + 4, 'l5d-')
    ? RESERVED
    : PLAIN;
}

/** Like sameBytes, but `_` passes for `-`. */
function sameDashed(bytes: Uint8Array, from: number, to: number, lower: string): boolean {
  if ((bytes[from]! | 0x20) !== lower.charCodeAt(0)) return false;
  for (let i = 1; i < to - from; i++) {
    const byte = bytes[from + i]!;
    const wanted = lower.charCodeAt(i);
    const same = byte === wanted || (byte > 0x40 && byte < 0x5b && (byte | 0x20) === wanted);
    if (!same && !(byte === 0x5f && wanted === 0x2d)) return false;
  }
  return true;
}

const OPTION_PREFIXES = ['content-', 'l5d-', 'x-forwarded-', 'www-'];
/** Fields that Connection may not name: whoever could remove them would change what the message means. */
const OPTIONS = new Set([
  'host',
  'transfer-encoding',
  'trailer',
  'connection',
  'expect',
  'authorization',
  'cookie',
  'set-cookie',
  'cache-control',
  'date',
  'location',
  'forwarded',
  'via',
  'x-real-ip',
]);

/** @param name lower case. */
export function mayBeConnectionOption(name: string): boolean {
  return !isOneOf(name, OPTIONS, OPTION_PREFIXES);
}

const TRAILER_PREFIXES = ['content-', 'l5d-', 'x-forwarded-', 'proxy-', 'if-', 'www-', 'access-control-'];
/** RFC 9110 §6.5.1: framing, routing, authentication, request modifiers, response control. */
const TRAILERS = new Set([
  'host',
  'transfer-encoding',
  'trailer',
  'connection',
  'keep-alive',
  'upgrade',
  'http2-settings',
  'te',
  'expect',
  'range',
  'max-forwards',
  'authorization',
  'authentication-info',
  'cookie',
  'set-cookie',
  'cache-control',
  'pragma',
  'age',
  'date',
  'expires',
  'location',
  'retry-after',
  'vary',
  'forwarded',
  'via',
  'x-real-ip',
]);

/** @param name lower case. */
export function mayBeTrailer(name: string): boolean {
  return !isOneOf(name, TRAILERS, TRAILER_PREFIXES);
}

/** Bytes of a name that are enough to tell whether it is forbidden: no forbidden one is longer. */
export const TELLING_BYTES = 32;

function isOneOf(name: string, names: ReadonlySet<string>, prefixes: readonly string[]): boolean {
  const dashed = name.replaceAll('_', '-');
  return names.has(dashed) || prefixes.some(prefix => dashed.startsWith(prefix));
}
