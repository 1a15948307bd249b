/**
 * A mesh of real processes in real namespaces: namerd on the wire, nodes with a proxy each, pods behind their nodes.
 *
 *   wire 10.99.0.1 (namerd) ── node-1 10.99.0.11 ── pods 10.244.1.0/24
 *                           ── node-2 10.99.0.12 ── pods 10.244.2.0/24
 *                           ── strangers 10.99.0.100… , in no registry
 *
 * The applications are servers and clients of the test's own process inside the pods' namespaces.
 */

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Sample, sum } from '../../../deploy/demo/mesh/metrics.ts';
import { NetnsLab, run, type TestNetns } from '../../lib/netns.ts';
import { NamerdProcess, type NamerdSetup, ProxyProcess } from './processes.ts';

const WIRE_IP = '10.99.0.1';
export const APP_PORT = 8080;

export interface MeshRigOptions {
  /** 1 = only `node-1`. */
  nodes?: number;
  namerd?: Pick<NamerdSetup, 'ca' | 'rootsFile' | 'certificateTtlHours'>;
  /** Added to every proxy's configuration. */
  proxy?: Readonly<Record<string, unknown>>;
}

export interface PodOptions {
  namespace?: string;
  labels?: Record<string, string>;
  /** Serves {@link APP_PORT} with an echo of its name; default true. */
  serves?: boolean;
  /** Default true: told to the proxy as a container runtime would. */
  announced?: boolean;
}

export interface MeshPod {
  name: string;
  namespace: string;
  ns: TestNetns;
  ip: string;
  /** Undefined for strangers. */
  proxy: ProxyProcess | undefined;
  labels: Record<string, string>;
}

export class MeshRig {
  readonly lab: NetnsLab;
  readonly folder: string;
  readonly wire: TestNetns;
  readonly namerd: NamerdProcess;
  readonly nodes: { name: string; ns: TestNetns; proxy: ProxyProcess }[] = [];
  readonly #pods: MeshPod[] = [];

  private constructor(lab: NetnsLab, folder: string, wire: TestNetns, namerd: NamerdProcess) {
    this.lab = lab;
    this.folder = folder;
    this.wire = wire;
    this.namerd = namerd;
    // A run that is cut short must not leave processes behind.
    process.once('exit', () => this.#killNow());
  }

  static async open({ nodes = 2, namerd = {}, proxy = {} }: MeshRigOptions = {}): Promise<MeshRig> {
    const folder = mkdtempSync(join(tmpdir(), 'nmt-'));
    const lab = await NetnsLab.open();
    const wire = await lab.namespace('wire');
    await lab.bridge(wire, 'br0', [`${WIRE_IP}/24`]);
    const names = Array.from({ length: nodes }, (_, i) => `node-${i + 1}`);
    const control = new NamerdProcess({ ns: wire, ip: WIRE_IP, folder, nodes: names, ...namerd });
    const rig = new MeshRig(lab, folder, wire, control);
    for (const name of names) await rig.#addNode(name, proxy);
    try {
      await control.start();
      await Promise.all(rig.nodes.map(node => node.proxy.start({ ready: false })));
    } catch (error) {
      await rig.close();
      throw error;
    }
    return rig;
  }

  /** A pod behind `node` (1, 2, …); 0 = a stranger on the wire, which no registry knows. */
  async pod(name: string, node: number, options: PodOptions = {}): Promise<MeshPod> {
    const { namespace = 'shop', labels = { app: name }, serves = true, announced = true } = options;
    const ns = await this.lab.namespace(name);
    const host = this.nodes[node - 1];
    const number = this.#pods.length + 2;
    const ip = host === undefined ? `10.99.0.${100 + number}` : `10.244.${node}.${number}`;
    await this.lab.attach(ns, host?.ns ?? this.wire, 'br0', [`${ip}/24`]);
    const pod: MeshPod = { name, namespace, ns, ip, proxy: host?.proxy, labels };
    this.#pods.push(pod);
    if (serves) await this.serve(pod, echo(name));
    if (host === undefined) return pod;
    this.register(pod);
    if (announced) await this.announce(pod);
    return pod;
  }

  async serve(pod: MeshPod, app: (socket: Socket) => void): Promise<void> {
    await pod.ns.listen('0.0.0.0', APP_PORT, app);
  }

  /** Tells the pod's proxy of it, as the CNI plugin does at the end of its ADD. */
  async announce(pod: MeshPod): Promise<unknown> {
    return pod.proxy?.local.add({
      containerId: pod.name,
      ifName: 'eth0',
      netns: pod.ns.path,
      podName: pod.name,
      podNamespace: pod.namespace,
      ips: [pod.ip],
    });
  }

  /** Writes the pod's Workload document, or writes it anew. */
  register(pod: MeshPod, more: Record<string, unknown> = {}): void {
    this.document(`workload-${pod.name}`, {
      kind: 'Workload',
      metadata: { name: pod.name, namespace: pod.namespace, labels: pod.labels },
      spec: { node: pod.proxy?.node, serviceAccount: pod.name, addresses: [pod.ip], ...more },
    });
  }

  /** A service `10.96.0.N:80` of the pods with the label `app: NAME`. @returns its address. */
  service(name: string, number: number): string {
    const vip = `10.96.0.${number}`;
    const ports = [{ name: 'tcp', port: 80, targetPort: APP_PORT }];
    const spec = { addresses: [vip], ports, selector: { app: name } };
    this.document(`service-${name}`, { kind: 'Service', metadata: { name, namespace: 'shop' }, spec });
    return vip;
  }

  document(name: string, content: object): void {
    const path = join(this.namerd.registry, `${name}.yaml`);
    writeFileSync(`${path}.new`, stringify({ apiVersion: 'nodemesh.io/v1alpha1', ...content }));
    renameSync(`${path}.new`, path);
  }

  /** Replaces the dtab that every name goes through. */
  async setDtab(text: string): Promise<void> {
    const path = '/api/1/dtabs/default';
    const method = (await this.namerd.control.ask(path)).status === 200 ? 'PUT' : 'POST';
    const { status, body } = await this.namerd.control.ask(path, { method, body: text });
    if (status >= 300) throw new Error(`dtab: ${status} ${body}`);
  }

  /** The proxy of node 1, 2, … */
  proxy(node: number): ProxyProcess {
    const found = this.nodes[node - 1];
    if (found === undefined) throw new RangeError(`no node ${node}`);
    return found.proxy;
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ proxy }) => proxy.kill()));
    await this.namerd.kill();
    await this.lab.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #addNode(name: string, config: Readonly<Record<string, unknown>>): Promise<void> {
    const index = this.nodes.length + 1;
    const ns = await this.lab.namespace(name);
    const ip = `10.99.0.${10 + index}`;
    await this.lab.bridge(ns, 'br0', [`10.244.${index}.1/24`]);
    await this.lab.veth({ ns, device: 'wire0', addresses: [`${ip}/24`] }, { ns: this.wire, device: name });
    await run('ip', ['-n', this.wire.name, 'link', 'set', name, 'master', 'br0']);
    await run('ip', ['-n', ns.name, 'route', 'add', 'default', 'via', WIRE_IP]);
    await run('ip', ['-n', this.wire.name, 'route', 'add', `10.244.${index}.0/24`, 'via', ip]);
    const folder = join(this.folder, name);
    const proxy = new ProxyProcess({ ns, ip, folder, node: name, namerd: this.namerd, config });
    this.nodes.push({ name, ns, proxy });
  }

  #killNow(): void {
    for (const { proxy } of this.nodes) void proxy.kill();
    void this.namerd.kill();
  }
}

/** An application that answers each chunk with its name, the caller's address, and the chunk. */
export function echo(name: string): (socket: Socket) => void {
  return socket => {
    const caller = socket.remoteAddress?.replace('::ffff:', '');
    socket.on('data', chunk => socket.write(`${name} ${caller} ${chunk}`));
    socket.on('end', () => socket.end());
  };
}

/** The sum of a metric's samples with these labels. */
export function total(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number {
  return sum(samples, `nodemesh_${name}`, labels);
}
