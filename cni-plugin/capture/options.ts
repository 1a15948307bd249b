/**
 * What can be chosen about capture, checked and brought to one spelling. Everything that ends up in a rule
 * passes through here, so the rules need no further checks.
 */

import { MeshError } from '#base/errors.ts';
import { canonicalIp, ipBytes } from '#base/net.ts';

/** Ports of the proxy's listeners inside each enrolled pod, and the marks the rules and the proxy agree on. */
export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
export const TUNNEL_PORT = 15008;
/** SO_MARK of every socket of the proxy inside a pod. All marks leave the bits above 0xfff to others. */
export const PROXY_MARK = 0x539;
/** Connection mark of connections from the proxy to the application, see {@link captureRules}. */
export const RETURN_MARK = 0x111;
export const MARK_MASK = 0xfff;

export interface PortRange {
  from: number;
  /** Inclusive. */
  to: number;
}

export interface CaptureOptions {
  outboundPort?: number;
  inboundPort?: number;
  tunnelPort?: number;
  /** Never captured inbound: no mutual TLS, and no policy holds on these ports. */
  excludedInboundPorts?: readonly PortRange[];
  excludedOutboundPorts?: readonly PortRange[];
  /** Destinations that are never captured, IPv4 and IPv6 mixed. */
  excludedOutboundCidrs?: readonly string[];
  /**
   * Addresses of the node itself (all its interfaces, the pod's gateway among them) whose connections to the pod
   * are left alone, so that probes work even while the proxy is down. Empty = probes go through the proxy.
   */
  probeSources?: readonly string[];
  /** Narrows `probeSources` to these ports of the pod; absent = all ports. */
  probePorts?: readonly PortRange[];
  /**
   * For a pod that is already running: connections that were open before capture stay as they are. Apply once with
   * and, some seconds later, once without; see the README for what that means.
   */
  sparingOpenConnections?: boolean;
}

export interface CheckedCaptureOptions {
  outboundPort: number;
  inboundPort: number;
  tunnelPort: number;
  excludedInboundPorts: readonly PortRange[];
  excludedOutboundPorts: readonly PortRange[];
  excludedOutboundCidrs: readonly Cidr[];
  probeSources: readonly Cidr[];
  probePorts: readonly PortRange[];
  sparingOpenConnections: boolean;
}

export interface Cidr {
  family: 4 | 6;
  /** As iptables-save prints it, prefix always included, host bits zero. */
  text: string;
}

export class CaptureOptionsError extends MeshError {
  constructor(problems: readonly string[]) {
    super('NM_CAPTURE_OPTIONS', problems.join('; '), {
      by: 'config',
      next: 'Correct the capture options of this pod (ports are 1–65535, blocks are like 10.0.0.0/8).',
    });
  }
}

/** Rules cost time on every new connection; more than this is a mistake. */
const MAX_ENTRIES = 256;

/** @throws CaptureOptionsError with all problems at once. */
export function checkOptions(options: CaptureOptions): CheckedCaptureOptions {
  const problems: string[] = [];
  const port = (name: string, value: number) => {
    if (!isPort(value)) problems.push(`${name}: ${value} is no port`);
    return value;
  };
  const ports = (name: string, ranges: readonly PortRange[] = []) => {
    if (ranges.length > MAX_ENTRIES)
      problems.push(`${name}: ${ranges.length} entries, at most ${MAX_ENTRIES}`);
    for (const { from, to } of ranges)
      if (!isPort(from) || !isPort(to) || from > to) problems.push(`${name}: ${from}-${to} is no port range`);
    return mergeRanges(ranges);
  };
  const cidrs = (name: string, texts: readonly string[] = []) => {
    if (texts.length > MAX_ENTRIES) problems.push(`${name}: ${texts.length} entries, at most ${MAX_ENTRIES}`);
    return texts.flatMap(text => {
      const cidr = parseCidr(text);
      if (cidr === undefined) problems.push(`${name}: '${text}' is neither an IP address nor a block`);
      return cidr ?? [];
    });
  };
  const checked = {
    outboundPort: port('outboundPort', options.outboundPort ?? OUTBOUND_PORT),
    inboundPort: port('inboundPort', options.inboundPort ?? INBOUND_PORT),
    tunnelPort: port('tunnelPort', options.tunnelPort ?? TUNNEL_PORT),
    excludedInboundPorts: ports('excludedInboundPorts', options.excludedInboundPorts),
    excludedOutboundPorts: ports('excludedOutboundPorts', options.excludedOutboundPorts),
    excludedOutboundCidrs: unique(cidrs('excludedOutboundCidrs', options.excludedOutboundCidrs)),
    probeSources: unique(cidrs('probeSources', options.probeSources)),
    probePorts: ports('probePorts', options.probePorts),
    sparingOpenConnections: options.sparingOpenConnections ?? false,
  };
  if (problems.length > 0) throw new CaptureOptionsError(problems);
  return checked;
}

/** `80,443,8000-8100` as annotations and flags spell it; spaces and an empty text are fine. @throws CaptureOptionsError */
export function parsePortRanges(text: string): PortRange[] {
  const problems: string[] = [];
  const ranges = text.split(',').flatMap(part => {
    const match = /^\s*(\d{1,5})\s*(?:[-:]\s*(\d{1,5})\s*)?$/.exec(part);
    if (match === null) {
      if (part.trim() !== '')
        problems.push(`'${part.trim()}' is neither a port nor a range such as 8000-8100`);
      return [];
    }
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (!isPort(from) || !isPort(to) || from > to) problems.push(`${part.trim()} is no port range`);
    return { from, to };
  });
  if (problems.length > 0) throw new CaptureOptionsError(problems);
  return ranges;
}

/** Undefined if the text is neither an address nor a block. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const ip = canonicalIp(address);
  const bytes = ipBytes(address);
  if (ip === undefined || bytes === undefined || rest.length > 0) return undefined;
  const bits = bytes.length * 8;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) return undefined;
  const length = prefix === undefined ? bits : Number(prefix);
  for (let bit = length; bit < bits; bit++) bytes[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return { family: bits === 32 ? 4 : 6, text: `${formatIp(bytes)}/${length}` };
}

function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  return canonicalIp(groups.join(':')) ?? '';
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

/** Sorted, overlapping and adjacent ranges joined: equal sets of ports always make equal rules. */
function mergeRanges(ranges: readonly PortRange[]): PortRange[] {
  const merged: PortRange[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

function unique(cidrs: readonly Cidr[]): Cidr[] {
  return [...new Map(cidrs.map(cidr => [cidr.text, cidr])).values()].sort((a, b) =>
    a.text < b.text ? -1 : 1,
  );
}
