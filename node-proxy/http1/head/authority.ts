/** Host and port (RFC 9110 §7.2, RFC 3986 §3.2.2): syntax only, and narrower where two readers could differ. */

import { COLON, HEX, HOST } from '../bytes.ts';

const OPEN = 0x5b;
const CLOSE = 0x5d;
const DOT = 0x2e;
const PORT_DIGITS = 5;
const MAX_PORT = 65_535;

/** `name`, `1.2.3.4` or `[2001:db8::1]`, each with an optional port. Not empty, no user, no zone. */
export function checkHost(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  if (bytes[at] === OPEN) {
    at += 1;
    while (at < to && (HEX[bytes[at]!] !== 255 || bytes[at] === COLON || bytes[at] === DOT)) at += 1;
    if (at === to || bytes[at] !== CLOSE || at === from + 1) return false;
    at += 1;
  } else {
    while (at < to && HOST[bytes[at]!] === 1) at += 1;
    if (at === from) return false;
  }
  return at === to || (bytes[at] === COLON && isPort(bytes, at + 1, to));
}

function isPort(bytes: Uint8Array, from: number, to: number): boolean {
  if (from >= to || to - from > PORT_DIGITS) return false;
  let port = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= MAX_PORT;
}
