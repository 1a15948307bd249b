/**
 * A pod as a kubelet makes one: a network namespace, an address from the CNI chain of its node, and an
 * application process that sees this network, its own host name and its own /etc/hosts.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.ts';
import type { CniContainer, CniRuntime } from './cni-runtime.ts';
import { NetNamespace } from './namespace.ts';
import type { NodeGround } from './wire.ts';

export interface PodSpec {
  name: string;
  namespace: string;
  /** `hosts(5)` lines: what a cluster's DNS would answer. */
  hosts: string;
}

/** Gives the process its own /etc/hosts and host name, then becomes the application (same process id). */
const BECOME = 'mount --bind "$1" /etc/hosts && hostname "$2" && shift 2 && exec "$@"';

export class Pod {
  readonly name: string;
  readonly namespace: string;
  readonly node: NodeGround;
  readonly netns: NetNamespace;
  readonly ip: string;
  readonly #runtime: CniRuntime;
  readonly #container: CniContainer;
  readonly #folder: string;
  readonly #children: Child[] = [];

  private constructor(
    { name, namespace }: PodSpec,
    node: NodeGround,
    netns: NetNamespace,
    ip: string,
    runtime: CniRuntime,
    container: CniContainer,
    folder: string,
  ) {
    this.name = name;
    this.namespace = namespace;
    this.node = node;
    this.netns = netns;
    this.ip = ip;
    this.#runtime = runtime;
    this.#container = container;
    this.#folder = folder;
  }

  /** @param folder for the pod's files (hosts, logs). Throws what the CNI chain refuses, leaving nothing. */
  static async create(spec: PodSpec, node: NodeGround, runtime: CniRuntime, folder: string): Promise<Pod> {
    const netns = await NetNamespace.create(`${spec.namespace}.${spec.name}`);
    const container: CniContainer = {
      containerId: `${spec.namespace}-${spec.name}`,
      netns: netns.path,
      args: {
        IgnoreUnknown: '1',
        K8S_POD_NAMESPACE: spec.namespace,
        K8S_POD_NAME: spec.name,
        K8S_POD_UID: `uid-${spec.namespace}-${spec.name}`,
        K8S_POD_INFRA_CONTAINER_ID: `${spec.namespace}-${spec.name}`,
      },
    };
    try {
      const result = await runtime.add(container);
      const ip = result.ips?.[0]?.address.split('/', 1)[0] ?? '';
      writeFileSync(join(folder, `${netns.name}.hosts`), `127.0.0.1 localhost\n${spec.hosts}`);
      return new Pod(spec, node, netns, ip, runtime, container, folder);
    } catch (error) {
      await netns.delete();
      throw error;
    }
  }

  /** `namespace/name` */
  get id(): string {
    return `${this.namespace}/${this.name}`;
  }

  /** Starts a program in the pod. */
  start(name: string, command: readonly string[], env: Record<string, string> = {}): Child {
    const child = new Child({
      name: `${this.id} ${name}`,
      command: [...this.netns.prefix, ...this.#inside(), ...command],
      env,
      bare: true,
      logFile: join(this.#folder, `${this.netns.name}.${name}.log`),
    });
    this.#children.push(child);
    void child.exited.then(() => this.#children.splice(this.#children.indexOf(child), 1));
    return child;
  }

  /** Runs a program in the pod to its end; its standard output. */
  run(command: readonly string[], timeoutMs?: number): Promise<string> {
    return this.netns.run([...this.#inside(), ...command], timeoutMs === undefined ? {} : { timeoutMs });
  }

  /** Ends the pod: its processes first, then its place in the network. */
  async delete(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all(this.#children.map(child => child.stop(signal)));
    await this.#runtime.delete(this.#container);
    await this.netns.delete();
  }

  #inside(): string[] {
    const hosts = join(this.#folder, `${this.netns.name}.hosts`);
    return ['unshare', '--mount', '--uts', '--', 'sh', '-c', BECOME, 'sh', hosts, this.name];
  }
}
