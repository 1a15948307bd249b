/**
 * What is compared: two nodes and their pods as in the demo; in each of two namespaces a client, a server on its
 * node and one on the other. The pods of `plain` are outside the mesh and carry the haproxies; those of `bench` are
 * enrolled and know of nothing.
 */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MeshError } from '#base/errors.ts';
import { Scope } from '#base/lifecycle.ts';
import { Cluster } from '../deploy/demo/cluster.ts';
import type { CniPlugin } from '../deploy/demo/ground/cni-runtime.ts';
import type { Pod } from '../deploy/demo/ground/pod.ts';
import { layWire, type NodeGround } from '../deploy/demo/ground/wire.ts';
import { emptyPod, type ServiceSpec } from '../deploy/demo/inventory.ts';
import { Namerd } from '../deploy/demo/mesh/namerd.ts';
import { writeCertificates } from './contenders/certificates.ts';
import type { Contender, ContenderName } from './contenders/contender.ts';
import { clientHalf, Haproxy, PORTS, passthrough, serverHalf } from './contenders/haproxy.ts';
import { NodeProxy } from './contenders/node-proxy.ts';
import type { Pinning } from './pinning.ts';

export const MESHED = 'bench';
export const PLAIN = 'plain';
export const CNI_TYPE = 'nodemesh-cni';
export const CNI_FOLDER = join(dirname(import.meta.dirname), 'dist');

const FOLDER = '/run/nodemesh-bench';
const ECHO = join(import.meta.dirname, 'load/echo.ts');
const APP_PORT = 80;
const SERVICE_PORT = 7000;
const SERVICES: readonly ServiceSpec[] = [service('near', 1), service('far', 2)];

export interface StageOptions {
  workers: number;
  pins: Pinning;
  peersOnly: boolean;
  /** For one proxy process. */
  maxConnections: number;
  say: (step: string) => void;
}

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

export async function buildStage(options: StageOptions): Promise<Stage> {
  const scope = new Scope();
  try {
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    const nodes = await layWire(2);
    const registry = join(FOLDER, 'registry');
    // namerd starts before the first document is in it.
    mkdirSync(registry);
    const mesh = options.peersOnly ? [] : await startMesh(nodes, registry, options, scope);
    const chained = ({ index }: NodeGround) => chainEnd(mesh[index - 1]);
    const cluster = await Cluster.create({ folder: FOLDER, registry, services: SERVICES, nodes, chained });
    scope.add('pods', () => cluster.close());
    const stage: Stage = { cluster, contenders: [], proxies: [], mesh, close: () => scope.close() };
    await addPeers(stage, options, scope);
    if (mesh.length > 0) await addMesh(stage, options, scope);
    for (const { restart } of stage.proxies) await restart();
    options.say(`${cluster.running.size} pods on ${nodes.length} nodes`);
    return stage;
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function startMesh(
  nodes: readonly NodeGround[],
  registry: string,
  { workers, pins, say }: StageOptions,
  scope: Scope,
): Promise<NodeProxy[]> {
  if (!existsSync(join(CNI_FOLDER, CNI_TYPE)))
    throw new MeshError('NM_BENCH_CNI', `dist/${CNI_TYPE} is missing`, {
      by: 'config',
      next: 'Run `npm run build:cni`, or leave our mesh out with --peers-only.',
    });
  const namerd = new Namerd({
    folder: join(FOLDER, 'namerd'),
    registry,
    nodes: nodes.map(({ name }) => name),
  });
  scope.add('namerd', () => namerd.kill());
  await namerd.start();
  const proxies = nodes.map(
    node =>
      new NodeProxy({
        folder: join(FOLDER, node.name),
        node,
        namerd,
        enrolled: MESHED,
        excluded: PLAIN,
        tunnelWorkers: workers,
        pin: pins.proxies,
      }),
  );
  scope.add('node proxies', async () => void (await Promise.all(proxies.map(proxy => proxy.stop()))));
  await Promise.all(proxies.map(proxy => proxy.restart()));
  say('namerd and two node proxies run');
  return proxies;
}

function chainEnd(proxy: NodeProxy | undefined): {
  plugins: readonly CniPlugin[];
  folders: readonly string[];
} {
  if (proxy === undefined) return { plugins: [], folders: [] };
  const plugin = { type: CNI_TYPE, socket: proxy.socket, excludedNamespaces: [PLAIN] };
  return { plugins: [plugin], folders: [CNI_FOLDER] };
}

async function addPeers(
  { cluster, contenders, proxies }: Stage,
  options: StageOptions,
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
  { pins }: StageOptions,
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
  const serve = async (name: string, node: number) => {
    const { pod } = await cluster.start(emptyPod(namespace, name, node));
    const app = pod.start('echo', [...pins.load, process.execPath, ECHO], { PORT: `${APP_PORT}` });
    scope.add(`echo of ${pod.id}`, async () => void (await app.stop('SIGKILL')));
    const connect = ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${APP_PORT}`];
    await app.until('serving', () => pod.netns.run(connect).then(() => true));
    return pod;
  };
  return { client, near: await serve('near', 1), far: await serve('far', 2) };
}

function service(name: string, index: number): ServiceSpec {
  const selector = { app: name };
  const vip = `10.96.1.${index}`;
  return { namespace: MESHED, name, vip, port: SERVICE_PORT, targetPort: APP_PORT, selector };
}
