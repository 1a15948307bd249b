/**
 * haproxy for HTTP, configured for speed: connections to servers are kept and shared, no logs, no checks, no header
 * changes. Between the halves of a pair HTTP/2: with small bodies it costs a quarter less there than HTTP/1.1 keep-alive,
 * with large ones as much.
 */

import type { CertificateFiles } from '../certificates.ts';
import { TLS13 } from '../haproxy.ts';
import { type Doors, RULES, type Rule } from './doors.ts';

/** For the section `global`. */
export const HAPROXY_GLOBAL = ['tune.h2.max-concurrent-streams 1000'];

/** One hop: routes and balances. @param servers `ip:port` */
export function httpHop({ http, grpc }: Doors, servers: readonly string[]): string {
  return [
    frontend('http', `127.0.0.1:${http}`),
    backend('http', servers),
    frontend('grpc', `127.0.0.1:${grpc} proto h2`),
    backend('grpc', servers, ' proto h2'),
  ].join('\n');
}

/** The client's half of a pair: routes, mutual TLS to the other half. */
export function httpClientHalf(
  { http, grpc }: Doors,
  ip: string,
  far: Doors,
  files: CertificateFiles,
): string {
  const tls = ` ssl crt ${files.client} ca-file ${files.root} verify required ${TLS13} alpn h2`;
  return [
    frontend('http', `127.0.0.1:${http}`),
    backend('http', [`${ip}:${far.http}`], tls),
    frontend('grpc', `127.0.0.1:${grpc} proto h2`),
    backend('grpc', [`${ip}:${far.grpc}`], tls),
  ].join('\n');
}

/** The server's half: balances. */
export function httpServerHalf(
  { http, grpc }: Doors,
  servers: readonly string[],
  files: CertificateFiles,
): string {
  const tls = ` ssl crt ${files.server} ca-file ${files.root} verify required ${TLS13} alpn h2`;
  return [
    `frontend http\n  bind :${http}${tls}\n  default_backend http`,
    backend('http', servers),
    `frontend grpc\n  bind :${grpc}${tls}\n  default_backend grpc`,
    backend('grpc', servers, ' proto h2'),
  ].join('\n');
}

function frontend(name: string, bind: string): string {
  const rules = RULES.map(rule => `  use_backend ${name} if ${condition(rule)}`);
  return [`frontend ${name}`, `  bind ${bind}`, ...rules].join('\n');
}

function condition(rule: Rule): string {
  if ('exact' in rule) return `{ path ${rule.exact} }`;
  if ('prefix' in rule) return `{ path ${rule.prefix} } || { path_beg ${rule.prefix}/ }`;
  return `{ req.hdr(${rule.header}) ${rule.value} }`;
}

function backend(name: string, servers: readonly string[], options = ''): string {
  const lines = servers.map((server, i) => `  server s${i} ${server}${options}`);
  return [`backend ${name}`, '  balance random(2)', '  http-reuse always', ...lines].join('\n');
}
