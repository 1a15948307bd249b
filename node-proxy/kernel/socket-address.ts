/**
 * `struct sockaddr_in` and `sockaddr_in6` as bytes, to and from our canonical address texts
 * (namerd/base/net.ts). Decoding is on the hot path: one string per address, nothing else.
 */

import { type Endpoint, ipBytes } from '#base/net.ts';
import { KernelError } from './kernel-error.ts';
import { AF_INET, AF_INET6 } from './libc.ts';

/** Size of `struct sockaddr_in6`; `struct sockaddr_in` needs 16. */
export const SOCKADDR_BYTES = 28;
const SOCKADDR_IN_BYTES = 16;

/** Little-endian on every machine Node.js supports on Linux except s390x, which we do not support. */
function family(bytes: Uint8Array): number {
  return bytes[0]! | (bytes[1]! << 8);
}

/** @returns the bytes to hand to `bind`, of the length the family needs. */
export function encodeSocketAddress(ip: string, port: number): Uint8Array {
  const address = ipBytes(ip);
  if (address === undefined || port < 0 || port > 65535 || !Number.isInteger(port))
    throw new KernelError('bind', `${ip} port ${port}`, 'EINVAL', {
      next: 'Give an IP address and a port 0–65535.',
    });
  const v4 = address.length === 4;
  const bytes = new Uint8Array(v4 ? SOCKADDR_IN_BYTES : SOCKADDR_BYTES);
  bytes[0] = v4 ? AF_INET : AF_INET6;
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  bytes.set(address, v4 ? 4 : 8);
  return bytes;
}

/** IPv4-mapped addresses come out as IPv4. Undefined for a family that is neither IPv4 nor IPv6. */
export function decodeSocketAddress(bytes: Uint8Array): Endpoint | undefined {
  const port = (bytes[2]! << 8) | bytes[3]!;
  switch (family(bytes)) {
    case AF_INET:
      return { ip: formatIPv4(bytes, 4), port };
    case AF_INET6:
      return { ip: isMapped(bytes, 8) ? formatIPv4(bytes, 20) : formatIPv6(bytes, 8), port };
    default:
      return undefined;
  }
}

function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 10; i++) if (bytes[i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

function formatIPv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/**
 * RFC 5952: lower case, no leading zeros, the longest (first) run of at least two zero groups as `::`. As
 * inet_ntop (and thus `canonicalIp` and `socket.remoteAddress`), `::a.b.c.d` for IPv4-compatible addresses.
 */
function formatIPv6(bytes: Uint8Array, at: number): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; ) {
    let end = i;
    while (end < 8 && group(bytes, at, end) === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    i = Math.max(end, i + 1);
  }
  if (start === 0 && length === 6) return `::${formatIPv4(bytes, at + 12)}`;
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += '::';
      i += length - 1;
      continue;
    }
    if (i > 0 && (start < 0 || i !== start + length)) text += ':';
    text += group(bytes, at, i).toString(16);
  }
  return text;
}

function group(bytes: Uint8Array, at: number, index: number): number {
  return (bytes[at + index * 2]! << 8) | bytes[at + index * 2 + 1]!;
}
