/**
 * One element of a path: a non-empty byte string, held as a latin1 JavaScript string (one character per
 * byte). Which bytes may be written as they are, and how the others are escaped.
 *
 * Beyond Finagle's alphabet one form is accepted as a whole element: an IPv6 host in brackets, with or
 * without a port (`[::1]`, `[2001:db8::1]:80`), since a name must be able to hold the authority of a request.
 */

import { isIPv6 } from 'node:net';

const SHOWABLE = table('0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:.#$%-');
const BRACKETED = /\[([0-9A-Fa-f:.]{2,45})\](?::[0-9A-Za-z-]{1,63})?/y;

/** True for a character code that may stand for itself in a label. */
export function isShowable(code: number): boolean {
  return code < 128 && SHOWABLE[code] === 1;
}

/** The length of the bracketed IPv6 host that starts at `at` and is a whole element there, else 0. */
export function bracketedHost(text: string, at: number): number {
  BRACKETED.lastIndex = at;
  const match = BRACKETED.exec(text);
  if (match === null || !isIPv6(match[1] ?? '')) return 0;
  const next = at + match[0].length;
  // A backslash or another label character would make it part of something longer, which is no host.
  const ends = next >= text.length || !(isShowable(text.charCodeAt(next)) || text[next] === '\\');
  return ends ? match[0].length : 0;
}

/** The element as it is written in a name: itself, or every byte as `\xhh` when one of them can't be written. */
export function showLabel(bytes: string): string {
  let plain = true;
  for (let i = 0; i < bytes.length && plain; i++) plain = isShowable(bytes.charCodeAt(i));
  if (plain || (bytes.startsWith('[') && bracketedHost(bytes, 0) === bytes.length)) return bytes;
  let escaped = '';
  for (let i = 0; i < bytes.length; i++) {
    escaped += `\\x${(bytes.charCodeAt(i) & 0xff).toString(16).padStart(2, '0')}`;
  }
  return escaped;
}

/** The bytes of a text as an element (UTF-8). */
export function labelOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** An element read as UTF-8; bytes that are none become U+FFFD. */
export function utf8Of(elem: string): string {
  return Buffer.from(elem, 'latin1').toString('utf8');
}

function table(characters: string): Uint8Array {
  const known = new Uint8Array(128);
  for (const character of characters) known[character.charCodeAt(0)] = 1;
  return known;
}
