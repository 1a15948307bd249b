/**
 * The demo's two nodes and their pods. Plays kubelet and kube-proxy: creates pods through the CNI chain, tells
 * the registry about them, probes them, keeps the virtual addresses, and takes pods away gracefully or not.
 */

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '#base/errors.ts';
import type { Child } from './ground/child.ts';
import { type CniNetwork, type CniPlugin, CniRuntime } from './ground/cni-runtime.ts';
import { Pod } from './ground/pod.ts';
import { prepareServiceVips, setServiceVips } from './ground/service-vips.ts';
import type { NodeGround } from './ground/wire.ts';
import { type ServiceSpec, STRANGERS, type WorkloadSpec } from './inventory.ts';
import { RegistryFiles } from './mesh/registry-files.ts';

/** Where Debian's package containernetworking-plugins puts its plugins. */
const CNI_FOLDER = '/usr/lib/cni';
const PROBE_TIMEOUT_MS = 10_000;
const PROBE_CONNECT = 'exec 3<>/dev/tcp/$1/80';
const PROBE_HTTP =
  'exec 3<>/dev/tcp/$1/80 && printf "GET /whoami HTTP/1.0\\r\\n\\r\\n" >&3 && read -r line <&3 && [[ $line == *" 200 "* ]]';
/** Between "takes no new connections" and SIGTERM, as a preStop hook would wait. */
const GRACE_MS = 1_000;

/** A pod, what it is, and its application. */
export interface Running {
  spec: WorkloadSpec;
  pod: Pod;
  app: Child | undefined;
  /** Unix socket on which the application counts its own calls. */
  counters: string;
  /** Unix socket on which a service is told how to behave. */
  control: string;
}

export interface ClusterOptions {
  folder: string;
  /** Where the registry's files go. */
  registry: string;
  services: readonly ServiceSpec[];
  nodes: readonly NodeGround[];
  /** The end of the CNI chain on a node, and where its binaries are; empty without a mesh. */
  chained: (node: NodeGround) => { plugins: readonly CniPlugin[]; folders: readonly string[] };
}

export class Cluster {
  readonly nodes: readonly NodeGround[];
  readonly registry: RegistryFiles;
  readonly running = new Map<string, Running>();
  readonly #runtimes: readonly CniRuntime[];
  readonly #folder: string;
  /** What the cluster's DNS would say, as hosts(5) lines. */
  readonly #hosts: string;

  private constructor({ folder, registry, services, nodes, chained }: ClusterOptions) {
    this.#folder = folder;
    this.#hosts = services.map(({ name, namespace, vip }) => `${vip} ${name}.${namespace}\n`).join('');
    this.nodes = nodes;
    this.registry = new RegistryFiles(registry, services);
    this.#runtimes = nodes.map(node => {
      const { plugins, folders } = chained(node);
      // Each its own: the last address given is remembered there, so that a pod's is not used again at once, while
      // neighbours still know it by another device.
      const network = networkOf(node, join(folder, 'ipam', node.name), plugins);
      return new CniRuntime(node.namespace, network, [CNI_FOLDER, ...folders]);
    });
  }

  static async create(options: ClusterOptions): Promise<Cluster> {
    mkdirSync(join(options.folder, 'pods'), { recursive: true });
    const cluster = new Cluster(options);
    for (const { namespace } of options.nodes) await prepareServiceVips(namespace);
    await cluster.#syncVips();
    return cluster;
  }

  /** Creates a pod, starts its program and waits until it serves. Throws what the CNI chain refuses. */
  async start(spec: WorkloadSpec): Promise<Running> {
    const known = spec.namespace !== STRANGERS;
    const node = this.nodes[spec.node - 1];
    const runtime = this.#runtimes[spec.node - 1];
    if (node === undefined || runtime === undefined) throw new RangeError(`no node ${spec.node}`);
    // The node proxy looks the workload up during ADD, so the registry knows it before it has an address.
    if (known) this.registry.set(spec, { ready: false, terminating: false });
    const folder = join(this.#folder, 'pods');
    const pod = await Pod.create({ ...spec, hosts: this.#hosts }, node, runtime, folder);
    const counters = join(folder, `${pod.netns.name}.sock`);
    const control = join(folder, `${pod.netns.name}.control.sock`);
    // A pod of that name may have been killed before.
    for (const socket of [counters, control]) rmSync(socket, { force: true });
    const env = { COUNTERS: counters, CONTROL: control, ...spec.env };
    const app = spec.program === undefined ? undefined : pod.start('app', spec.program, env);
    const running: Running = { spec, pod, app, counters, control };
    this.running.set(pod.id, running);
    if (spec.serves !== undefined) await app?.until('serving', () => this.probe(pod.id), PROBE_TIMEOUT_MS);
    else if (app !== undefined) await app.until('up', async () => existsSync(counters));
    if (known) this.registry.set(spec, { ip: pod.ip, ready: true, terminating: false });
    await this.#syncVips();
    return running;
  }

  /** The gentle end: no new connections, a moment, SIGTERM, and the pod is taken off the network. */
  async shutDown(id: string): Promise<void> {
    const { spec, pod } = this.get(id);
    this.registry.set(spec, { ip: pod.ip, ready: true, terminating: true });
    await this.#syncVips();
    await sleep(GRACE_MS);
    await this.remove(id, 'SIGTERM');
  }

  /** The rough end: the process is killed first, the registry hears of it later. */
  async remove(id: string, signal: NodeJS.Signals): Promise<void> {
    const { spec, pod } = this.get(id);
    await pod.delete(signal);
    this.registry.remove(spec);
    this.running.delete(id);
    await this.#syncVips();
  }

  /** Asks the application how it is, from its node and as a kubelet would; false if there is no good answer. */
  async probe(id: string): Promise<boolean> {
    const { pod, spec } = this.get(id);
    const ask = spec.serves === 'grpc' ? PROBE_CONNECT : PROBE_HTTP;
    try {
      await pod.node.namespace.run(['bash', '-c', ask, 'probe', pod.ip], { timeoutMs: 1_000 });
      return true;
    } catch {
      return false;
    }
  }

  get(id: string): Running {
    const running = this.running.get(id);
    if (running === undefined) throw new RangeError(`no pod ${id}`);
    return running;
  }

  async close(): Promise<void> {
    for (const { app } of this.running.values()) app?.signal('SIGKILL');
    await Promise.all([...this.running.values()].map(({ app }) => app?.exited));
  }

  async #syncVips(): Promise<void> {
    const ports = this.registry.virtualPorts();
    for (const { namespace } of this.nodes) await setServiceVips(namespace, ports);
  }
}

/**
 * Debian's own plugins first, ours after. Pods on one bridge see each other directly, past the virtual
 * addresses' DNAT, unless the kernel passes bridged packets through iptables; where it does not, every pod gets
 * a routed cable of its own.
 */
function networkOf({ podSubnet }: NodeGround, dataDir: string, chained: readonly CniPlugin[]): CniNetwork {
  const routes = [{ dst: '0.0.0.0/0' }];
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: podSubnet }]], routes };
  const bridged = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables');
  const first = bridged
    ? { type: 'bridge', bridge: 'cni0', isGateway: true, hairpinMode: true, ipMasq: false, ipam }
    : { type: 'ptp', ipMasq: false, ipam };
  if (!existsSync(`${CNI_FOLDER}/${first.type}`))
    throw new MeshError('NM_DEMO_CNI', `${CNI_FOLDER}/${first.type} is missing`, {
      by: 'config',
      next: 'Install the package containernetworking-plugins.',
    });
  return { cniVersion: '1.0.0', name: 'pods', plugins: [first, ...chained] };
}
