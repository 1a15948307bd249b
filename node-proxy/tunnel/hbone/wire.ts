/**
 * HBONE on the wire: HTTP/2 CONNECT over mutual TLS 1.3 to `<pod IP>:15008`, as Istio's ztunnel speaks it
 * (ztunnel: proxy.rs HboneAddress, baggage.rs, config.rs). Pure: numbers, header texts, parsing.
 */

import { isIPv6 } from 'node:net';
import { canonicalIp, formatEndpoint } from '#base/net.ts';
import {
  TUNNEL_PORT as HBONE_PORT,
  INBOUND_PORT as INBOUND_PLAIN_PORT,
  OUTBOUND_PORT,
  PROXY_MARK,
} from '#capture';
import type { Header } from '../../http2/index.ts';

export { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT, PROXY_MARK };

/** Ports that may never be the target of a tunnelled connection: it would loop through the mesh. */
export const OWN_PORTS: ReadonlySet<number> = new Set([
  OUTBOUND_PORT,
  INBOUND_PLAIN_PORT,
  HBONE_PORT,
  15053,
  15080,
]);

/** Bytes under way per stream: enough for 250 MB/s at 2 ms; what a reader that stopped can make us hold. */
const STREAM_WINDOW_BYTES = 512 * 1024;
const MAX_STREAMS = 250;

/** What we tell every HBONE peer. */
export const H2_SETTINGS = {
  settings: {
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxFrameSize: 1024 * 1024,
    maxConcurrentStreams: MAX_STREAMS,
    maxHeaderListSize: 16 * 1024,
  },
  /** As much as all streams together, so that applications that stop reading never hold up the others in a tunnel. */
  connectionWindow: STREAM_WINDOW_BYTES * MAX_STREAMS,
} as const;
export const PING_EVERY_MS = 10_000;
export const PONG_WITHIN_MS = 20_000;
/** After its graceful end a tunnel's socket has this long to send what is left. */
export const CLOSE_WITHIN_MS = 5_000;

/** TLS 1.3, AES-GCM only; the hybrid post-quantum group first. */
export const TLS_OPTIONS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
  ecdhCurve: 'X25519MLKEM768:X25519:prime256v1',
  ALPNProtocols: ['h2'],
} as const;

export interface ConnectTarget {
  /** Canonical, or undefined when the authority named a host: then the port alone counts. */
  ip: string | undefined;
  port: number;
}

/** The `:authority` of a CONNECT (RFC 9113 §8.5): `ip:port`, `[v6]:port` or `host:port`; undefined if malformed. */
export function parseAuthority(authority: string): ConnectTarget | undefined {
  if (authority.length > 512) return undefined;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(authority);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65535) return undefined;
  const literal = match[1];
  if (literal !== undefined) return isIPv6(literal) ? { ip: canonicalIp(literal), port } : undefined;
  return { ip: canonicalIp(match[2] ?? ''), port };
}

/** Ours: nothing but requests is sent here, and the client's node has removed from them what its pod may not say. */
export const REQUESTS_HEADER = 'x-nodemesh-requests';
const REQUESTS: Header = [REQUESTS_HEADER, 'checked'];

/** The CONNECT request of ztunnel: no scheme, no path (RFC 9113 §8.5). @param requests see {@link REQUESTS_HEADER} */
export function connectHeaders(
  authority: string,
  baggage: string,
  forwarded: string,
  requests = false,
): Header[] {
  const headers: Header[] = [
    [':method', 'CONNECT'],
    [':authority', authority],
    ['baggage', baggage],
    ['forwarded', forwarded],
  ];
  if (requests) headers.push(REQUESTS);
  return headers;
}

/** W3C Baggage with the keys of ztunnel; says who the source workload is. Informative, never trusted for policy. */
export function formatBaggage(namespace: string, workload: string): string {
  const pairs: string[] = [];
  if (namespace !== '') pairs.push(`k8s.namespace.name=${encodeURIComponent(namespace)}`);
  if (workload !== '') pairs.push(`k8s.pod.name=${encodeURIComponent(workload)}`);
  return pairs.join(',');
}

/** The workload that a peer's baggage names, `<namespace>/<name>`, or '' when it names none. */
export function workloadOfBaggage(baggage: string | string[] | undefined): string {
  if (typeof baggage !== 'string' || baggage.length > 8192) return '';
  let namespace = '';
  let name = '';
  for (const pair of baggage.split(',')) {
    const [key, value = ''] = pair.trim().split('=', 2);
    if (key === 'k8s.namespace.name') namespace = label(value);
    else if (key !== undefined && WORKLOAD_KEYS.has(key) && name === '') name = label(value);
  }
  return namespace === '' || name === '' ? '' : `${namespace}/${name}`;
}

const WORKLOAD_KEYS = new Set(['pod', 'deployment', 'cronjob', 'job'].map(kind => `k8s.${kind}.name`));

/** Only what a Kubernetes name may be: the value goes into metrics and logs. */
function label(value: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(value) ? value : '';
}

/** The value of a header, or ''. Names are lower-case. */
export function headerOf(headers: readonly Header[], name: string): string {
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i] as Header;
    if (header[0] === name) return header[1];
  }
  return '';
}

/** RFC 7239 `forwarded: for="ip:port"`. */
export function formatForwarded(ip: string, port: number): string {
  return `for="${formatEndpoint(ip, port)}"`;
}
