/**
 * How long our end of the CNI chain takes to bring a pod into the mesh: the process from start to exit, as a
 * container runtime waits for it, with capture rules and listeners in place at the end. Beside it, for scale, the
 * plugin of the Debian package that connects the same pod.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../../deploy/demo/cluster.ts';
import { NetNamespace } from '../../deploy/demo/ground/namespace.ts';
import type { NodeGround } from '../../deploy/demo/ground/wire.ts';
import { emptyPod } from '../../deploy/demo/inventory.ts';

const DEBIAN_FOLDER = '/usr/lib/cni';
/** Away from the addresses that the stage's own pods get. */
const SUBNET = '10.245.0.0/24';

/** Milliseconds, one per pod. */
export interface CniTimes {
  nodemesh: number[];
  ptp: number[];
}

export interface CniAddOptions {
  cluster: Cluster;
  node: NodeGround;
  /** Of the node's proxy. */
  socket: string;
  /** Where our plugin is, and its name. */
  folder: string;
  type: string;
  /** Namespace of enrolled pods. */
  namespace: string;
  dataDir: string;
  pods: number;
}

export async function timeCniAdd(options: CniAddOptions): Promise<CniTimes> {
  const times: CniTimes = { nodemesh: [], ptp: [] };
  for (let index = 1; index <= options.pods; index++) {
    const one = await timeOne(options, `cni-${index}`);
    times.nodemesh.push(one.nodemesh);
    times.ptp.push(one.ptp);
  }
  return times;
}

async function timeOne(options: CniAddOptions, name: string): Promise<{ nodemesh: number; ptp: number }> {
  const { cluster, node, socket, folder, type, namespace, dataDir } = options;
  const spec = emptyPod(namespace, name, node.index);
  cluster.registry.set(spec, { ready: false, terminating: false });
  const netns = await NetNamespace.create(`${namespace}.${name}`);
  const ipam = {
    type: 'host-local',
    dataDir,
    ranges: [[{ subnet: SUBNET }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const plugins = {
    ptp: { cniVersion: '1.0.0', name: 'timed', type: 'ptp', ipMasq: false, ipam },
    nodemesh: { cniVersion: '1.0.0', name: 'timed', type, socket },
  };
  const call = (command: 'ADD' | 'DEL', binary: string, config: object) => {
    const args = {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: namespace,
      K8S_POD_NAME: name,
      K8S_POD_UID: `uid-${name}`,
    };
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: `${namespace}-${name}`,
      CNI_NETNS: netns.path,
      CNI_IFNAME: 'eth0',
      CNI_PATH: DEBIAN_FOLDER,
      CNI_ARGS: Object.entries(args)
        .map(([key, value]) => `${key}=${value}`)
        .join(';'),
    };
    return node.namespace.run([binary], { input: JSON.stringify(config), env });
  };
  const timed = async (binary: string, config: object) => {
    const start = performance.now();
    const result = JSON.parse(await call('ADD', binary, config)) as unknown;
    return { took: performance.now() - start, result };
  };
  const [ours, ptp] = [join(folder, type), join(DEBIAN_FOLDER, 'ptp')];
  try {
    const connected = await timed(ptp, plugins.ptp);
    const meshed = await timed(ours, { ...plugins.nodemesh, prevResult: connected.result });
    await call('DEL', ours, plugins.nodemesh);
    await call('DEL', ptp, plugins.ptp);
    return { nodemesh: meshed.took, ptp: connected.took };
  } finally {
    await netns.delete();
    cluster.registry.remove(spec);
  }
}

/** Whether the packages and the build that this needs are there. */
export function canTimeCniAdd(folder: string, type: string): boolean {
  return existsSync(join(folder, type)) && existsSync(join(DEBIAN_FOLDER, 'ptp'));
}
