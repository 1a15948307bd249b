/** IP addresses, `ip:port` pairs and CIDR blocks as canonical text and compiled matchers. */

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { MeshError } from './errors.ts';

export interface Endpoint {
  /** Canonical: IPv4 dotted, IPv6 compressed lower-case without brackets, never IPv4-mapped. */
  ip: string;
  port: number;
}

export class AddressError extends MeshError {
  constructor(text: string, wanted: string) {
    super('NM_BAD_ADDRESS', `'${text}' is not ${wanted}`, { by: 'config' });
  }
}

/** One spelling per address: `::ffff:1.2.3.4` → `1.2.3.4`, `2001:DB8:0::1` → `2001:db8::1`. Undefined if no IP. */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  // As sockets that serve both families print IPv4 peers: once per connection, so not the long way.
  if (text.startsWith('::ffff:') && isIPv4(text.slice(7))) return text.slice(7);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const address = new SocketAddress({ address: text, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address.toLowerCase();
}

/** `1.2.3.4:80` or `[2001:db8::1]:80`. */
export function formatEndpoint(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** Parses `1.2.3.4:80` or `[2001:db8::1]:80`; undefined if it is anything else (names included). */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const bracketed = match[1] !== undefined;
  const host = match[1] ?? match[2] ?? '';
  if (bracketed !== isIPv6(host)) return undefined;
  const ip = canonicalIp(host);
  const port = Number(match[3]);
  return ip === undefined || port < 1 || port > 65535 ? undefined : { ip, port };
}

/** As {@link parseEndpoint}, but throws {@link AddressError}. */
export function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  if (parsed === undefined)
    throw new AddressError(text, "an address of the form '1.2.3.4:80' or '[2001:db8::1]:80'");
  return parsed;
}

/** An address as 4 or 16 bytes in network order; IPv4-mapped IPv6 becomes 4 bytes. Undefined if no IP. */
export function ipBytes(text: string): Uint8Array | undefined {
  const ip = canonicalIp(text);
  if (ip === undefined) return undefined;
  if (isIPv4(ip)) return Uint8Array.from(ip.split('.'), Number);
  const [head = '', tail] = ip.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const words =
    tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(words.flatMap(word => [word >> 8, word & 0xff]));
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap(group => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** A block such as `10.0.0.0/8`, `2001:db8::/32`, or a single address. */
export class CidrBlock {
  readonly text: string;
  readonly #network: Uint8Array;
  readonly #bits: number;

  private constructor(text: string, network: Uint8Array, bits: number) {
    this.text = text;
    this.#network = network;
    this.#bits = bits;
  }

  /** Undefined if the text is no block. Host bits beyond the prefix are ignored, as iptables does. */
  static parse(text: string): CidrBlock | undefined {
    const [ip = '', prefix, ...rest] = text.split('/');
    const network = ipBytes(ip);
    if (network === undefined || rest.length > 0) return undefined;
    if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return undefined;
    const bits = prefix === undefined ? network.length * 8 : Number(prefix);
    return bits > network.length * 8 ? undefined : new CidrBlock(text, network, bits);
  }

  /** @param address as given by {@link ipBytes}; blocks of the other family never contain it. */
  contains(address: Uint8Array): boolean {
    if (address.length !== this.#network.length) return false;
    const whole = this.#bits >> 3;
    for (let i = 0; i < whole; i++) if (address[i] !== this.#network[i]) return false;
    const rest = this.#bits & 7;
    if (rest === 0) return true;
    const mask = (0xff << (8 - rest)) & 0xff;
    return ((address[whole] ?? 0) & mask) === ((this.#network[whole] ?? 0) & mask);
  }
}
