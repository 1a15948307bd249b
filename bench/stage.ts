/**
 * What is compared: two nodes and their pods as in the demo; in each of two namespaces a client, a server on its
 * node and one on the other. The pods of `plain` are outside the mesh and carry the haproxies; those of `bench` are
 * enrolled and know of nothing.
 */

import { join } from 'node:path';
import { Scope } from '#base/lifecycle.ts';
import type { Cluster } from '../deploy/demo/cluster.ts';
import type { Pod } from '../deploy/demo/ground/pod.ts';
import { emptyPod, type ServiceSpec } from '../deploy/demo/inventory.ts';
import { writeCertificates } from './contenders/certificates.ts';
import type { Contender, ContenderName } from './contenders/contender.ts';
import { clientHalf, Haproxy, PORTS, passthrough, serverHalf } from './contenders/haproxy.ts';
import type { NodeProxy } from './contenders/node-proxy.ts';
import {
  APP_PORT,
  FOLDER,
  type GroundOptions,
  layGround,
  MESHED,
  meshedService,
  PLAIN,
  SERVICE_PORT,
  serverPod,
} from './ground.ts';
import type { Pinning } from './pinning.ts';

const ECHO = join(import.meta.dirname, 'load/echo.ts');
const SERVICES: readonly ServiceSpec[] = [
  meshedService('near', '10.96.1.1'),
  meshedService('far', '10.96.1.2'),
];

/** Proxies, and which contenders they carry. */
export interface Proxies {
  carries: readonly ContenderName[];
  /** Ends what runs and starts it afresh. */
  restart: () => Promise<void>;
}

export interface Stage {
  cluster: Cluster;
  contenders: Contender[];
  proxies: Proxies[];
  /** Ours, one per node; none with `peersOnly`. */
  mesh: readonly NodeProxy[];
  close: () => Promise<void>;
}

export async function buildStage(options: GroundOptions): Promise<Stage> {
  const scope = new Scope();
  try {
    const { cluster, mesh } = await layGround(SERVICES, options, scope);
    const stage: Stage = { cluster, contenders: [], proxies: [], mesh, close: () => scope.close() };
    await addPeers(stage, options, scope);
    if (mesh.length > 0) await addMesh(stage, options, scope);
    for (const { restart } of stage.proxies) await restart();
    options.say(`${cluster.running.size} pods on ${cluster.nodes.length} nodes`);
    return stage;
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function addPeers(
  { cluster, contenders, proxies }: Stage,
  options: GroundOptions,
  scope: Scope,
): Promise<void> {
  const { client, near, far } = await startPods(cluster, PLAIN, options.pins, scope);
  const direct = { client, pids: () => [] };
  contenders.push(
    { name: 'direct-near', target: { ip: near.ip, port: APP_PORT }, ...direct },
    { name: 'direct-far', target: { ip: far.ip, port: APP_PORT }, ...direct },
  );

  const files = await writeCertificates(FOLDER);
  const common = {
    folder: FOLDER,
    threads: options.workers,
    maxConnections: options.maxConnections,
    pin: options.pins.proxies,
  };
  const haproxy = (pod: Pod, name: string, listeners: string, port: number) =>
    scope.own(name, new Haproxy(pod, name, listeners, port, common));
  const tcp = haproxy(client, 'haproxy-tcp', passthrough(`${near.ip}:${APP_PORT}`), PORTS.tcp);
  const outbound = haproxy(client, 'haproxy-client', clientHalf(far.ip, files), PORTS.full);
  const inbound = haproxy(
    far,
    'haproxy-server',
    serverHalf(`127.0.0.1:${APP_PORT}`, files),
    PORTS.serverFull,
  );
  const pair = { client, pids: () => [outbound.pid, inbound.pid] };
  contenders.push(
    { name: 'haproxy-tcp', client, target: { ip: '127.0.0.1', port: PORTS.tcp }, pids: () => [tcp.pid] },
    { name: 'haproxy-mtls', target: { ip: '127.0.0.1', port: PORTS.full }, ...pair },
    { name: 'haproxy-mtls-resumed', target: { ip: '127.0.0.1', port: PORTS.resumed }, ...pair },
  );
  proxies.push({ carries: ['haproxy-tcp'], restart: () => tcp.restart() });
  proxies.push({
    carries: ['haproxy-mtls', 'haproxy-mtls-resumed'],
    restart: async () => {
      await inbound.restart();
      await outbound.restart();
    },
  });
}

async function addMesh(
  { cluster, contenders, proxies, mesh }: Stage,
  { pins }: GroundOptions,
  scope: Scope,
): Promise<void> {
  const { client } = await startPods(cluster, MESHED, pins, scope);
  const [first, second] = mesh;
  const target = (name: string) => ({
    ip: SERVICES.find(service => service.name === name)?.vip ?? '',
    port: SERVICE_PORT,
  });
  contenders.push(
    { name: 'mesh-near', client, target: target('near'), pids: () => [first?.pid ?? -1] },
    { name: 'mesh-far', client, target: target('far'), pids: () => [first?.pid ?? -1, second?.pid ?? -1] },
  );
  proxies.push({
    carries: ['mesh-near', 'mesh-far'],
    restart: async () => void (await Promise.all(mesh.map(proxy => proxy.restart()))),
  });
}

/** A client on node 1, servers on nodes 1 and 2, the latter with the echo server running. */
async function startPods(
  cluster: Cluster,
  namespace: string,
  pins: Pinning,
  scope: Scope,
): Promise<Record<'client' | 'near' | 'far', Pod>> {
  const { pod: client } = await cluster.start(emptyPod(namespace, 'client', 1));
  const serve = (name: string, node: number) =>
    serverPod(cluster, emptyPod(namespace, name, node), ECHO, pins, scope);
  return { client, near: await serve('near', 1), far: await serve('far', 2) };
}
