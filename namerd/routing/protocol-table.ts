/**
 * What a Service's port speaks, as far as somebody has declared it: pure data and the order in which it is asked.
 * `appProtocol` goes before the port's name, and a TrafficPolicy before both. What nobody declares is looked at when
 * bytes come, by whoever receives them; nothing is guessed from port numbers.
 *
 * Sources: Kubernetes `Service.spec.ports[].appProtocol` (IANA service names, and names with the prefix
 * `kubernetes.io/`); Istio's protocol selection (names of the form `<protocol>[-<suffix>]`); Open Service Mesh
 * (`tcp-server-first`); Dapr, whose ports are called `dapr-http` and `dapr-grpc`, so that the suffix counts too.
 */

import type { HttpProtocol } from '#api';
import type { ServicePort } from '../registry/index.ts';

export type PortProtocol = HttpProtocol | 'opaque';

/** HTTP/1.1 and HTTP/2 in clear text. Lower case. */
const HTTP = [
  'http', // IANA, Istio
  'http/1.0',
  'http/1.1', // ALPN ids, RFC 7301
  'http2', // Istio, linkerd2
  'http/2',
  'h2c', // ALPN id, RFC 7540 §3.1
  'kubernetes.io/h2c',
  'ws',
  'websocket',
  'kubernetes.io/ws',
  'grpc', // Istio, Dapr, Open Service Mesh
  'grpc-web',
] as const;

/** Everything else that has a name: relayed as bytes, never looked into. Lower case. */
const OPAQUE = [
  // TLS of the application's own.
  'https',
  'tls',
  'ssl',
  'h2', // the ALPN id of HTTP/2 over TLS
  'wss',
  'kubernetes.io/wss',
  'grpcs',
  'hbone', // Istio
  // Bytes, by declaration.
  'tcp',
  'tcp-server-first', // Open Service Mesh
  'opaque',
  'udp',
  // Protocols of their own: Istio's list, Linkerd's default opaque ports, and IANA names of common servers.
  'mongo',
  'mongodb',
  'mysql',
  'mariadb',
  'redis',
  'rediss',
  'postgres',
  'postgresql',
  'mssql',
  'ms-sql-s',
  'oracle',
  'cassandra',
  'cql',
  'memcache',
  'memcached',
  'kafka',
  'amqp',
  'amqps',
  'mqtt',
  'mqtts',
  'nats',
  'stomp',
  'thrift',
  'zookeeper',
  'dns',
  'domain',
  'smtp',
  'smtps',
  'submission',
  'imap',
  'imaps',
  'pop3',
  'pop3s',
  'ldap',
  'ldaps',
  'ssh',
  'sftp',
  'ftp',
  'telnet',
  'rdp',
  'galera',
] as const;

const DECLARED: ReadonlyMap<string, 'http' | 'opaque'> = new Map([
  ...HTTP.map(name => [name, 'http'] as const),
  ...OPAQUE.map(name => [name, 'opaque'] as const),
]);

/** By `appProtocol`, else by the port's name: the whole of it, what stands before its first `-`, or after its last. */
export function declaredProtocol({
  name,
  appProtocol,
}: Pick<ServicePort, 'name' | 'appProtocol'>): 'http' | 'opaque' | undefined {
  const words = [
    appProtocol,
    name,
    name.slice(0, dash(name.indexOf('-'), name)),
    name.slice(name.lastIndexOf('-') + 1),
  ];
  for (const word of words) {
    const known = DECLARED.get(word.toLowerCase());
    if (known !== undefined) return known;
  }
  return undefined;
}

function dash(at: number, { length }: string): number {
  return at < 0 ? length : at;
}

/** @param said by the TrafficPolicy that holds for the port. */
export function portProtocol(port: ServicePort, said: 'http' | 'opaque' | undefined): PortProtocol {
  return said ?? declaredProtocol(port) ?? 'detect';
}
