/** The peers of the L7 comparison, started in the pods outside the mesh. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Scope } from '#base/lifecycle.ts';
import type { Pod } from '../../deploy/demo/ground/pod.ts';
import { type CertificateFiles, writeCertificates } from '../contenders/certificates.ts';
import { Haproxy, type HaproxyOptions } from '../contenders/haproxy.ts';
import { DOORS, type Doors } from '../contenders/http/doors.ts';
import { Envoy, envoyClientHalf, envoyHop, envoyServerHalf } from '../contenders/http/envoy.ts';
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
    ...(await haproxies(pods, farPod, files, settings, scope)),
    ...(await nginxes(pods, farPod, files, settings, scope)),
    ...(hasEnvoy() ? await envoys(pods, farPod, files, settings, scope) : []),
    contender('node-http2', client, DOORS.nodeHttp2, [nodeHttp2]),
  ];
}

export function hasEnvoy(): boolean {
  return spawnSync('envoy', ['--version']).status === 0;
}

async function haproxies(
  { client, near, far }: Pods,
  farPod: Pod,
  files: CertificateFiles,
  settings: HaproxyOptions,
  scope: Scope,
): Promise<Contender[]> {
  const { haproxy, haproxyPair, haproxyFar } = DOORS;
  const start = (pod: Pod, name: string, sections: string, { http }: Doors) =>
    started(
      scope,
      name,
      new Haproxy(pod, name, sections, http, { ...settings, mode: 'http', global: HAPROXY_GLOBAL }),
    );
  const hop = await start(client, 'haproxy-hop', httpHop(haproxy, addresses(near)), haproxy);
  const server = await start(
    farPod,
    'haproxy-far',
    httpServerHalf(haproxyFar, addresses(far), files),
    haproxyFar,
  );
  const half = httpClientHalf(haproxyPair, farPod.ip, haproxyFar, files);
  const pair = await start(client, 'haproxy-pair', half, haproxyPair);
  return [
    contender('haproxy', client, haproxy, [hop]),
    contender('haproxy-pair', client, haproxyPair, [pair, server]),
  ];
}

async function nginxes(
  { client, near, far }: Pods,
  farPod: Pod,
  files: CertificateFiles,
  settings: HaproxyOptions,
  scope: Scope,
): Promise<Contender[]> {
  const { nginx, nginxPair, nginxFar } = DOORS;
  const start = (pod: Pod, name: string, http: string, doors: Doors) =>
    started(scope, name, new Nginx(pod, name, http, doors.http, settings));
  const hop = await start(client, 'nginx-hop', nginxHop(nginx, addresses(near)), nginx);
  const server = await start(farPod, 'nginx-far', nginxServerHalf(nginxFar, addresses(far), files), nginxFar);
  const half = nginxClientHalf(nginxPair, farPod.ip, nginxFar, files);
  const pair = await start(client, 'nginx-pair', half, nginxPair);
  return [
    contender('nginx', client, nginx, [hop]),
    contender('nginx-pair', client, nginxPair, [pair, server]),
  ];
}

async function envoys(
  { client, near, far }: Pods,
  farPod: Pod,
  files: CertificateFiles,
  settings: HaproxyOptions,
  scope: Scope,
): Promise<Contender[]> {
  const { envoy, envoyPair, envoyFar } = DOORS;
  const hop = await started(
    scope,
    'envoy-hop',
    new Envoy(client, 'envoy-hop', envoyHop(envoy, addresses(near)), envoy.http, settings),
  );
  const serverHalf = envoyServerHalf(envoyFar, addresses(far), files);
  const server = await started(
    scope,
    'envoy-far',
    new Envoy(farPod, 'envoy-far', serverHalf, envoyFar.http, settings),
  );
  const clientHalf = envoyClientHalf(envoyPair, farPod.ip, envoyFar, files);
  const pair = await started(
    scope,
    'envoy-pair',
    new Envoy(client, 'envoy-pair', clientHalf, envoyPair.http, settings),
  );
  return [
    contender('envoy', client, envoy, [hop]),
    contender('envoy-pair', client, envoyPair, [pair, server]),
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
