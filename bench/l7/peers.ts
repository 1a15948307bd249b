/** The peers of the L7 comparison, started in the pods outside the mesh. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Scope } from '#base/lifecycle.ts';
import type { Pod } from '../../deploy/demo/ground/pod.ts';
import { type CertificateFiles, writeCertificates } from '../contenders/certificates.ts';
import { Haproxy, type HaproxyOptions } from '../contenders/haproxy.ts';
import { DOORS, type Doors } from '../contenders/http/doors.ts';
import {
  Envoy,
  type EnvoyWork,
  envoyClientHalf,
  envoyHop,
  envoyServerHalf,
} from '../contenders/http/envoy.ts';
import { HAPROXY_GLOBAL, httpClientHalf, httpHop, httpServerHalf } from '../contenders/http/haproxy-http.ts';
import { Nginx, nginxClientHalf, nginxHop, nginxServerHalf } from '../contenders/http/nginx.ts';
import { Sidecar } from '../contenders/sidecar.ts';
import { APP_PORT, FOLDER, type GroundOptions } from '../ground.ts';
import type { Contender, Name } from './contenders.ts';

const NODE_HTTP2 = join(import.meta.dirname, '../contenders/http/node-http2-hop.ts');

export interface Pods {
  client: Pod;
  near: readonly Pod[];
  far: readonly Pod[];
}

/** Direct connections, and the peers as sidecars: one hop, and pairs whose server half serves all far pods. */
export async function addPeers(pods: Pods, options: GroundOptions, scope: Scope): Promise<Contender[]> {
  const { client, near, far } = pods;
  const [nearPod, farPod] = [near[0], far[0]];
  if (nearPod === undefined || farPod === undefined) throw new RangeError('no server pods');
  const files = await writeCertificates(FOLDER);
  const settings: HaproxyOptions = {
    folder: FOLDER,
    threads: options.workers,
    maxConnections: Math.min(options.maxConnections, 10_000),
    pin: options.pins.proxies,
  };
  const nodeHttp2 = await started(scope, 'node-http2', nodeHop(client, near, settings));
  return [
    direct('direct-near', client, nearPod),
    direct('direct-far', client, farPod),
    ...(await family(haproxy(settings), pods, farPod, files, scope)),
    ...(await family(nginx(settings), pods, farPod, files, scope)),
    ...(hasEnvoy() ? await family(envoy(settings), pods, farPod, files, scope) : []),
    contender('node-http2', client, DOORS.nodeHttp2, [nodeHttp2]),
  ];
}

export function hasEnvoy(): boolean {
  return spawnSync('envoy', ['--version']).status === 0;
}

/** What makes a family of peers: how one is started, and how its work is said. */
interface Dialect<Work> {
  name: 'haproxy' | 'nginx' | 'envoy';
  doors: { hop: Doors; pair: Doors; far: Doors };
  make: (pod: Pod, name: string, work: Work, port: number) => Sidecar;
  hop: (doors: Doors, servers: readonly string[]) => Work;
  clientHalf: (doors: Doors, ip: string, far: Doors, files: CertificateFiles) => Work;
  serverHalf: (doors: Doors, servers: readonly string[], files: CertificateFiles) => Work;
}

function haproxy(settings: HaproxyOptions): Dialect<string> {
  const { haproxy: hop, haproxyPair: pair, haproxyFar: far } = DOORS;
  const options: HaproxyOptions = { ...settings, mode: 'http', global: HAPROXY_GLOBAL };
  return {
    name: 'haproxy',
    doors: { hop, pair, far },
    make: (pod, name, sections, port) => new Haproxy(pod, name, sections, port, options),
    hop: httpHop,
    clientHalf: httpClientHalf,
    serverHalf: httpServerHalf,
  };
}

function nginx(settings: HaproxyOptions): Dialect<string> {
  const { nginx: hop, nginxPair: pair, nginxFar: far } = DOORS;
  return {
    name: 'nginx',
    doors: { hop, pair, far },
    make: (pod, name, http, port) => new Nginx(pod, name, http, port, settings),
    hop: nginxHop,
    clientHalf: nginxClientHalf,
    serverHalf: nginxServerHalf,
  };
}

function envoy(settings: HaproxyOptions): Dialect<EnvoyWork> {
  const { envoy: hop, envoyPair: pair, envoyFar: far } = DOORS;
  return {
    name: 'envoy',
    doors: { hop, pair, far },
    make: (pod, name, work, port) => new Envoy(pod, name, work, port, settings),
    hop: envoyHop,
    clientHalf: envoyClientHalf,
    serverHalf: envoyServerHalf,
  };
}

/** One hop, and a pair with mutual TLS between its halves. */
async function family<Work>(
  { name, doors, make, hop, clientHalf, serverHalf }: Dialect<Work>,
  { client, near, far }: Pods,
  farPod: Pod,
  files: CertificateFiles,
  scope: Scope,
): Promise<Contender[]> {
  const start = (pod: Pod, role: string, work: Work, { http }: Doors) =>
    started(scope, `${name}-${role}`, make(pod, `${name}-${role}`, work, http));
  const single = await start(client, 'hop', hop(doors.hop, addresses(near)), doors.hop);
  const server = await start(farPod, 'far', serverHalf(doors.far, addresses(far), files), doors.far);
  const half = clientHalf(doors.pair, farPod.ip, doors.far, files);
  const pair = await start(client, 'pair', half, doors.pair);
  return [
    contender(name, client, doors.hop, [single]),
    contender(`${name}-pair`, client, doors.pair, [pair, server]),
  ];
}

function nodeHop(client: Pod, near: readonly Pod[], { pin }: HaproxyOptions): Sidecar {
  const { grpc } = DOORS.nodeHttp2;
  const command = [...pin, process.execPath, NODE_HTTP2, `${grpc}`, ...addresses(near)];
  return new Sidecar(client, 'node-http2', command, grpc);
}

async function started<S extends Sidecar>(scope: Scope, name: string, sidecar: S): Promise<S> {
  await scope.own(name, sidecar).restart();
  return sidecar;
}

function direct(name: Name, client: Pod, { ip }: Pod): Contender {
  const target = { ip, port: APP_PORT };
  return { name, client, targets: { http: target, grpc: target }, pids: () => [] };
}

/** @param proxies on the way. */
function contender(name: Name, client: Pod, { http, grpc }: Doors, proxies: readonly Sidecar[]): Contender {
  const at = (port: number) => (port === 0 ? undefined : { ip: '127.0.0.1', port });
  const pids = () => proxies.flatMap(proxy => proxy.pids);
  return { name, client, targets: { http: at(http), grpc: at(grpc) }, pids };
}

function addresses(pods: readonly Pod[]): string[] {
  return pods.map(({ ip }) => `${ip}:${APP_PORT}`);
}
