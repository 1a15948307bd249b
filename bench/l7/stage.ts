/**
 * What is compared: a client on node 1, three servers on its node and three on the other, once outside the mesh with the
 * peers beside them, once in it. Services with routes and rules about requests make our proxies read HTTP; the same kind
 * of servers without them keep to L4 in the same rig.
 */

import { join } from 'node:path';
import { Scope } from '#base/lifecycle.ts';
import type { Cluster } from '../../deploy/demo/cluster.ts';
import type { Pod } from '../../deploy/demo/ground/pod.ts';
import { emptyPod, type ServiceSpec } from '../../deploy/demo/inventory.ts';
import type { NodeProxy } from '../contenders/node-proxy.ts';
import {
  type GroundOptions,
  layGround,
  MESHED,
  meshedService,
  PLAIN,
  SERVICE_PORT,
  serverPod,
} from '../ground.ts';
import type { Contender } from './contenders.ts';
import { authorization, route } from './documents.ts';
import { addPeers } from './peers.ts';

const APP = join(import.meta.dirname, '../load/http/app.ts');
const ENDPOINTS = 3;
const NEAR = meshedService('near', '10.96.2.1');
const FAR = meshedService('far', '10.96.2.2');
const L4_NEAR = { ...meshedService('near-l4', '10.96.2.3'), selector: NEAR.selector };
const L4_FAR = meshedService('far-l4', '10.96.2.4');
/** Answers for a path that no rule fits come from our proxy, and say so. */
const PROBE = `exec 3<>/dev/tcp/$1/$2 && printf 'GET /nowhere HTTP/1.1\\r\\nhost: bench\\r\\nconnection: close\\r\\n\\r\\n' >&3 && cat <&3`;
const READY_TIMEOUT_MS = 20_000;

export interface Stage {
  contenders: Contender[];
  /** Ours, one per node. */
  mesh: readonly NodeProxy[];
  close: () => Promise<void>;
}

export async function buildStage(options: GroundOptions): Promise<Stage> {
  const scope = new Scope();
  try {
    const { cluster, mesh, namerd } = await layGround([NEAR, FAR, L4_NEAR, L4_FAR], options, scope);
    const servers = (namespace: string, app: string, node: number) =>
      startServers(cluster, namespace, app, node, options, scope);
    const contenders: Contender[] = [];
    if (namerd !== undefined) {
      await namerd.apply(route(NEAR), route(FAR), authorization(FAR, 'client'));
      const { pod: client } = await cluster.start(emptyPod(MESHED, 'client', 1));
      await servers(MESHED, 'near', 1);
      await servers(MESHED, 'far', 2);
      await servers(MESHED, 'far-l4', 2);
      for (const { vip } of [NEAR, FAR]) await readsHttp(client, vip);
      contenders.push(...meshContenders(client, mesh));
    }
    const { pod: client } = await cluster.start(emptyPod(PLAIN, 'client', 1));
    const near = await servers(PLAIN, 'near', 1);
    const far = await servers(PLAIN, 'far', 2);
    contenders.unshift(...(await addPeers({ client, near, far }, options, scope)));
    options.say(`${cluster.running.size} pods on ${cluster.nodes.length} nodes`);
    return { contenders, mesh, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function startServers(
  cluster: Cluster,
  namespace: string,
  app: string,
  node: number,
  { pins }: GroundOptions,
  scope: Scope,
): Promise<Pod[]> {
  const pods: Pod[] = [];
  for (let i = 1; i <= ENDPOINTS; i++) {
    const spec = { ...emptyPod(namespace, `${app}-${i}`, node), serviceAccount: app, labels: { app } };
    pods.push(await serverPod(cluster, spec, APP, pins, scope));
  }
  return pods;
}

function meshContenders(client: Pod, [first, second]: readonly NodeProxy[]): Contender[] {
  const near = () => [first?.pid ?? -1];
  const far = () => [first?.pid ?? -1, second?.pid ?? -1];
  const through = ({ vip }: ServiceSpec) => {
    const target = { ip: vip, port: SERVICE_PORT };
    return { http: target, grpc: target };
  };
  return [
    { name: 'mesh-l4-near', client, targets: through(L4_NEAR), pids: near },
    { name: 'mesh-near', client, targets: through(NEAR), pids: near },
    { name: 'mesh-l4-far', client, targets: through(L4_FAR), pids: far },
    { name: 'mesh-far', client, targets: through(FAR), pids: far },
  ];
}

/** Until requests to the service are routed, and not only relayed. */
async function readsHttp(client: Pod, vip: string): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const said = await client
      .run(['bash', '-c', PROBE, 'probe', vip, `${SERVICE_PORT}`], 2_000)
      .catch((error: unknown) => String(error));
    if (said.includes('404') && said.includes('l5d-err')) return;
    if (performance.now() > deadline)
      throw new Error(`requests to ${vip} are not routed after ${READY_TIMEOUT_MS / 1000} s: ${said}`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}
