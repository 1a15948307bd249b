/**
 * nginx, configured for speed: connections to servers are kept (one call at a time on each, also for gRPC), no logs,
 * buffers that hold a request and an answer of the bench. Between the halves of a pair HTTP/1.1 keep-alive, for gRPC HTTP/2.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../../deploy/demo/ground/pod.ts';
import type { CertificateFiles } from '../certificates.ts';
import type { HaproxyOptions } from '../haproxy.ts';
import { Sidecar } from '../sidecar.ts';
import { type Doors, RULES, type Rule } from './doors.ts';

const MANY = 100_000_000;
const KEPT = 256;

export class Nginx extends Sidecar {
  /** @param http the content of the section `http`. */
  constructor(pod: Pod, name: string, http: string, port: number, options: HaproxyOptions) {
    const folder = join(options.folder, name);
    mkdirSync(folder);
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, nginxConfig(http, folder, options));
    super(pod, name, [...options.pin, 'nginx', '-c', file], port);
  }
}

/** @param folder for what nginx writes. */
export function nginxConfig(http: string, folder: string, options: HaproxyOptions): string {
  return `${settings(options, folder)}\nhttp {\n${common(folder)}\n${http}\n}\n`;
}

/** One hop: routes and balances. */
export function nginxHop({ http, grpc }: Doors, servers: readonly string[]): string {
  return [
    upstream('app', servers),
    upstream('calls', servers),
    server(`127.0.0.1:${http}`, [], routed(proxy('http://app'))),
    server(`127.0.0.1:${grpc} http2`, [], routed('grpc_pass grpc://calls;')),
  ].join('\n');
}

/** The client's half of a pair: routes, mutual TLS to the other half. */
export function nginxClientHalf(
  { http, grpc }: Doors,
  ip: string,
  far: Doors,
  files: CertificateFiles,
): string {
  return [
    upstream('app', [`${ip}:${far.http}`]),
    upstream('calls', [`${ip}:${far.grpc}`]),
    server(`127.0.0.1:${http}`, clientTls('proxy', files), routed(proxy('https://app'))),
    server(`127.0.0.1:${grpc} http2`, clientTls('grpc', files), routed('grpc_pass grpcs://calls;')),
  ].join('\n');
}

/** The server's half: balances. */
export function nginxServerHalf(
  { http, grpc }: Doors,
  servers: readonly string[],
  files: CertificateFiles,
): string {
  const tls = [
    `ssl_certificate ${files.server};`,
    `ssl_certificate_key ${files.server};`,
    `ssl_client_certificate ${files.root};`,
    'ssl_verify_client on;',
    'ssl_protocols TLSv1.3;',
    'ssl_session_tickets off;',
  ];
  return [
    upstream('app', servers),
    upstream('calls', servers),
    server(`${http} ssl`, tls, [`location / { ${proxy('http://app')} }`]),
    server(`${grpc} ssl http2`, tls, ['location / { grpc_pass grpc://calls; }']),
  ].join('\n');
}

/**
 * Without a look at the server's certificate: nginx would want a host name in it, where ours have a SPIFFE id. That
 * concerns handshakes only, of which a run has a few.
 * @param kind of the upstream's module.
 */
function clientTls(kind: 'proxy' | 'grpc', { client, root }: CertificateFiles): string[] {
  return [
    `${kind}_ssl_certificate ${client};`,
    `${kind}_ssl_certificate_key ${client};`,
    `${kind}_ssl_trusted_certificate ${root};`,
    `${kind}_ssl_protocols TLSv1.3;`,
    `${kind}_ssl_session_reuse off;`,
  ];
}

function proxy(to: string): string {
  return `proxy_pass ${to}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;`;
}

/** Locations for {@link RULES}; what none of them fits gets 404. */
function routed(pass: string): string[] {
  const header = RULES.find(rule => 'header' in rule);
  const name = header === undefined ? '' : `$http_${header.header.replaceAll('-', '_')}`;
  const otherwise =
    header === undefined ? 'return 404;' : `if (${name} != "${header.value}") { return 404; } ${pass}`;
  return [...RULES.flatMap(rule => location(rule, pass)), `location / { ${otherwise} }`];
}

function location(rule: Rule, pass: string): string[] {
  if ('exact' in rule) return [`location = ${rule.exact} { ${pass} }`];
  if ('prefix' in rule)
    return [`location = ${rule.prefix} { ${pass} }`, `location ${rule.prefix}/ { ${pass} }`];
  return [];
}

function server(listen: string, settings: readonly string[], locations: readonly string[]): string {
  return ['server {', `listen ${listen};`, ...settings, ...locations, '}'].join('\n');
}

function upstream(name: string, servers: readonly string[]): string {
  const lines = servers.map(address => `server ${address};`);
  const balance = servers.length > 1 ? ['random two least_conn;'] : [];
  const keep = [`keepalive ${KEPT};`, `keepalive_requests ${MANY};`];
  return [`upstream ${name} {`, ...balance, ...lines, ...keep, '}'].join('\n');
}

function settings({ threads, maxConnections }: HaproxyOptions, folder: string): string {
  return [
    'daemon off;',
    // A process more than needed where one worker does all.
    ...(threads === 1 ? ['master_process off;'] : ['user root;']),
    `worker_processes ${threads};`,
    `pid ${join(folder, 'pid')};`,
    `error_log ${join(folder, 'error.log')};`,
    `events { worker_connections ${maxConnections}; }`,
  ].join('\n');
}

function common(folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    ...temporary.map(what => `${what}_temp_path ${join(folder, what)};`),
    'access_log off;',
    `keepalive_requests ${MANY};`,
    'keepalive_timeout 1h;',
    'http2_max_concurrent_streams 1000;',
    'client_body_buffer_size 64k;',
    'proxy_buffer_size 32k;',
    'proxy_buffers 8 32k;',
    'proxy_busy_buffers_size 64k;',
    'grpc_buffer_size 32k;',
  ].join('\n');
}
