/**
 * What both benches stand on: two nodes, namerd, a proxy of ours on each, and a cluster whose pods of {@link MESHED}
 * are enrolled and know of nothing, while those of {@link PLAIN} are outside the mesh.
 */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MeshError } from '#base/errors.ts';
import type { Scope } from '#base/lifecycle.ts';
import { Cluster } from '../deploy/demo/cluster.ts';
import type { CniPlugin } from '../deploy/demo/ground/cni-runtime.ts';
import type { Pod } from '../deploy/demo/ground/pod.ts';
import { layWire, type NodeGround } from '../deploy/demo/ground/wire.ts';
import type { ServiceSpec, WorkloadSpec } from '../deploy/demo/inventory.ts';
import { Namerd } from '../deploy/demo/mesh/namerd.ts';
import { NodeProxy } from './contenders/node-proxy.ts';
import type { Pinning } from './pinning.ts';

export const MESHED = 'bench';
export const PLAIN = 'plain';
export const CNI_TYPE = 'nodemesh-cni';
export const CNI_FOLDER = join(dirname(import.meta.dirname), 'dist');
export const FOLDER = '/run/nodemesh-bench';
export const APP_PORT = 80;
export const SERVICE_PORT = 7000;

export interface GroundOptions {
  workers: number;
  pins: Pinning;
  peersOnly: boolean;
  /** For one proxy process. */
  maxConnections: number;
  say: (step: string) => void;
  /** For the Node.js of our proxies. */
  flags?: readonly string[];
}

export interface Ground {
  cluster: Cluster;
  /** Ours, one per node; none with `peersOnly`. */
  mesh: readonly NodeProxy[];
  /** Undefined with `peersOnly`. */
  namerd: Namerd | undefined;
}

/** A service of the enrolled pods with the label `app: <name>`. */
export function meshedService(name: string, vip: string): ServiceSpec {
  return {
    namespace: MESHED,
    name,
    vip,
    port: SERVICE_PORT,
    portName: 'http',
    targetPort: APP_PORT,
    selector: { app: name },
  };
}

export async function layGround(
  services: readonly ServiceSpec[],
  options: GroundOptions,
  scope: Scope,
): Promise<Ground> {
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  const nodes = await layWire(2);
  const registry = join(FOLDER, 'registry');
  // namerd starts before the first document is in it.
  mkdirSync(registry);
  const { mesh, namerd } = options.peersOnly
    ? { mesh: [], namerd: undefined }
    : await startMesh(nodes, registry, options, scope);
  const chained = ({ index }: NodeGround) => chainEnd(mesh[index - 1]);
  const cluster = await Cluster.create({ folder: FOLDER, registry, services, nodes, chained });
  scope.add('pods', () => cluster.close());
  return { cluster, mesh, namerd };
}

async function startMesh(
  nodes: readonly NodeGround[],
  registry: string,
  { workers, pins, flags, say }: GroundOptions,
  scope: Scope,
): Promise<{ mesh: NodeProxy[]; namerd: Namerd }> {
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
  const mesh = nodes.map(
    node =>
      new NodeProxy({
        folder: join(FOLDER, node.name),
        node,
        namerd,
        enrolled: MESHED,
        excluded: PLAIN,
        tunnelWorkers: workers,
        pin: pins.proxies,
        ...(flags === undefined ? {} : { flags }),
      }),
  );
  scope.add('node proxies', async () => void (await Promise.all(mesh.map(proxy => proxy.stop()))));
  await Promise.all(mesh.map(proxy => proxy.restart()));
  say('namerd and two node proxies run');
  return { mesh, namerd };
}

function chainEnd(proxy: NodeProxy | undefined): {
  plugins: readonly CniPlugin[];
  folders: readonly string[];
} {
  if (proxy === undefined) return { plugins: [], folders: [] };
  const plugin = { type: CNI_TYPE, socket: proxy.socket, excludedNamespaces: [PLAIN] };
  return { plugins: [plugin], folders: [CNI_FOLDER] };
}

/** A pod with a program that listens on {@link APP_PORT}. */
export async function serverPod(
  cluster: Cluster,
  spec: WorkloadSpec,
  program: string,
  pins: Pinning,
  scope: Scope,
): Promise<Pod> {
  const { pod } = await cluster.start(spec);
  const app = pod.start('app', [...pins.load, process.execPath, program], { PORT: `${APP_PORT}` });
  scope.add(`application of ${pod.id}`, async () => void (await app.stop('SIGKILL')));
  const connect = ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${APP_PORT}`];
  await app.until('serving', () => pod.netns.run(connect).then(() => true));
  return pod;
}
