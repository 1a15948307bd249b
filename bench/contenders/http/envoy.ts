/**
 * Envoy, where its binary is on the PATH: the same rules, P2C over the same servers, one worker per tunnel worker of
 * ours, no access log, circuit breakers out of the way. Between the halves of a pair HTTP/2, as Istio's gateways and
 * sidecars do it.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../../deploy/demo/ground/pod.ts';
import type { CertificateFiles } from '../certificates.ts';
import type { HaproxyOptions } from '../haproxy.ts';
import { Sidecar } from '../sidecar.ts';
import { type Doors, RULES, type Rule } from './doors.ts';

const EXTENSIONS = 'envoy.extensions';
const MANAGER = `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const ROUTER = `${EXTENSIONS}.filters.http.router.v3.Router`;
const PROTOCOLS = `${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions`;
const SOCKETS = `${EXTENSIONS}.transport_sockets.tls.v3`;
const UNLIMITED = 1_000_000_000;

/** What one process does: its listeners and the clusters they lead to. */
export interface EnvoyWork {
  listeners: object[];
  clusters: object[];
}

export class Envoy extends Sidecar {
  constructor(pod: Pod, name: string, work: EnvoyWork, port: number, options: HaproxyOptions) {
    const file = join(options.folder, `${name}.json`);
    const { listeners, clusters } = work;
    writeFileSync(file, JSON.stringify({ static_resources: { listeners, clusters } }));
    const settings = ['--concurrency', `${options.threads}`, '--log-level', 'error'];
    // Every process of a machine needs a number of its own for restarts, which are off here.
    const alone = ['--disable-hot-restart'];
    super(pod, name, [...options.pin, 'envoy', '-c', file, ...settings, ...alone], port);
  }
}

/** One hop: routes and balances. */
export function envoyHop({ http, grpc }: Doors, servers: readonly string[]): EnvoyWork {
  return {
    listeners: [listener('127.0.0.1', http, 'http'), listener('127.0.0.1', grpc, 'grpc')],
    clusters: [cluster('http', servers, 'http1'), cluster('grpc', servers, 'http2')],
  };
}

/** The client's half of a pair: routes, mutual TLS to the other half. */
export function envoyClientHalf(
  { http, grpc }: Doors,
  ip: string,
  far: Doors,
  { client, root }: CertificateFiles,
): EnvoyWork {
  const tls = socket('Upstream', { ...tlsOf(client, root, ['h2']) });
  return {
    listeners: [listener('127.0.0.1', http, 'http'), listener('127.0.0.1', grpc, 'grpc')],
    clusters: [
      cluster('http', [`${ip}:${far.http}`], 'http2', tls),
      cluster('grpc', [`${ip}:${far.grpc}`], 'http2', tls),
    ],
  };
}

/** The server's half: balances. */
export function envoyServerHalf(
  { http, grpc }: Doors,
  servers: readonly string[],
  { server, root }: CertificateFiles,
): EnvoyWork {
  const tls = socket('Downstream', {
    ...tlsOf(server, root, ['h2']),
    require_client_certificate: true,
  });
  return {
    listeners: [listener('0.0.0.0', http, 'http', tls), listener('0.0.0.0', grpc, 'grpc', tls)],
    clusters: [cluster('http', servers, 'http1'), cluster('grpc', servers, 'http2')],
  };
}

function listener(ip: string, port: number, to: string, transport?: object): object {
  const manager = {
    '@type': typeOf(MANAGER),
    stat_prefix: to,
    codec_type: 'AUTO',
    route_config: {
      virtual_hosts: [{ name: to, domains: ['*'], routes: RULES.map(rule => route(rule, to)) }],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': typeOf(ROUTER) } }],
  };
  const chain = { filters: [{ name: 'http', typed_config: manager }] };
  return {
    name: `${to}-${port}`,
    address: address(ip, port),
    filter_chains: [transport === undefined ? chain : { ...chain, transport_socket: transport }],
  };
}

function route(rule: Rule, to: string): object {
  return { match: match(rule), route: { cluster: to } };
}

function match(rule: Rule): object {
  if ('exact' in rule) return { path: rule.exact };
  if ('prefix' in rule) return { path_separated_prefix: rule.prefix };
  const { header, value } = rule;
  return { prefix: '/', headers: [{ name: header, string_match: { exact: value } }] };
}

function cluster(
  name: string,
  servers: readonly string[],
  protocol: 'http1' | 'http2',
  transport?: object,
): object {
  const options = protocol === 'http1' ? { http_protocol_options: {} } : { http2_protocol_options: {} };
  const endpoints = servers.map(server => {
    const [ip = '', port] = server.split(':');
    return { endpoint: { address: address(ip, Number(port)) } };
  });
  const limits = { max_connections: UNLIMITED, max_pending_requests: UNLIMITED, max_requests: UNLIMITED };
  return {
    name,
    type: 'STATIC',
    lb_policy: 'LEAST_REQUEST',
    connect_timeout: '5s',
    circuit_breakers: { thresholds: [limits] },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
    typed_extension_protocol_options: {
      [PROTOCOLS]: { '@type': typeOf(PROTOCOLS), explicit_http_config: options },
    },
    ...(transport === undefined ? {} : { transport_socket: transport }),
  };
}

function tlsOf(certificate: string, root: string, protocols: readonly string[]): object {
  return {
    common_tls_context: {
      alpn_protocols: protocols,
      // Its clients speak no TLS 1.3 by default.
      tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
      tls_certificates: [
        { certificate_chain: { filename: certificate }, private_key: { filename: certificate } },
      ],
      validation_context: { trusted_ca: { filename: root } },
    },
  };
}

function socket(side: 'Upstream' | 'Downstream', context: object): object {
  const name = 'envoy.transport_sockets.tls';
  return { name, typed_config: { '@type': typeOf(`${SOCKETS}.${side}TlsContext`), ...context } };
}

function address(ip: string, port: number): object {
  return { socket_address: { address: ip, port_value: port } };
}

function typeOf(name: string): string {
  return `type.googleapis.com/${name}`;
}
