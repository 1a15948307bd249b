/**
 * What a container runtime does with a CNI network: runs the chain of plugin binaries for ADD in order, handing
 * each the result of the one before, and for DEL in reverse order. (CNI specification 1.1, sections 2–4.)
 */

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { MeshError } from '#base/errors.ts';
import { CommandError } from './command.ts';
import type { NetNamespace } from './namespace.ts';

/** A network's chain, as it would stand in `/etc/cni/net.d/NAME.conflist`. */
export interface CniNetwork {
  cniVersion: string;
  name: string;
  plugins: readonly CniPlugin[];
}

export interface CniPlugin {
  type: string;
  [field: string]: unknown;
}

export interface CniContainer {
  containerId: string;
  /** Path of the container's network namespace. */
  netns: string;
  /** `CNI_ARGS`: on Kubernetes the pod's namespace, name and UID. */
  args: Readonly<Record<string, string>>;
}

export interface CniResult {
  ips?: { address: string; gateway?: string }[];
}

export class CniError extends MeshError {
  constructor(plugin: string, command: string, message: string, cause: unknown) {
    super('NM_DEMO_CNI', `CNI ${command} by ${plugin}: ${message}`, { by: 'mesh', cause });
  }
}

const INTERFACE = 'eth0';

export class CniRuntime {
  readonly #host: NetNamespace;
  readonly #network: CniNetwork;
  readonly #folders: readonly string[];

  /** @param host the node's namespace, where plugins run. @param folders where plugin binaries are. */
  constructor(host: NetNamespace, network: CniNetwork, folders: readonly string[]) {
    this.#host = host;
    this.#network = network;
    this.#folders = folders;
  }

  /** Connects a container; throws {@link CniError}, after undoing what the earlier plugins did. */
  async add(container: CniContainer): Promise<CniResult> {
    let result: unknown;
    for (const plugin of this.#network.plugins) {
      try {
        result = JSON.parse(await this.#call('ADD', plugin, container, result));
      } catch (error) {
        await this.delete(container).catch(() => {});
        throw error;
      }
    }
    return (result ?? {}) as CniResult;
  }

  async delete(container: CniContainer): Promise<void> {
    for (const plugin of [...this.#network.plugins].reverse())
      await this.#call('DEL', plugin, container, undefined);
  }

  async #call(
    command: 'ADD' | 'DEL',
    plugin: CniPlugin,
    { containerId, netns, args }: CniContainer,
    prevResult: unknown,
  ): Promise<string> {
    const { cniVersion, name } = this.#network;
    const config = { cniVersion, name, ...plugin, ...(prevResult === undefined ? {} : { prevResult }) };
    const binary = this.#binary(plugin.type);
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: INTERFACE,
      CNI_PATH: [dirname(binary), ...this.#folders].join(':'),
      CNI_ARGS: Object.entries(args)
        .map(([key, value]) => `${key}=${value}`)
        .join(';'),
    };
    try {
      return await this.#host.run([binary], { input: JSON.stringify(config), env });
    } catch (error) {
      throw new CniError(plugin.type, command, reasonOf(error), error);
    }
  }

  #binary(type: string): string {
    const path = this.#folders.map(folder => `${folder}/${type}`).find(existsSync);
    if (path !== undefined) return path;
    throw new CniError(type, 'ADD', `no such plugin in ${this.#folders.join(', ')}`, undefined);
  }
}

/** Plugins print their error as JSON on standard output. */
function reasonOf(error: unknown): string {
  if (!(error instanceof CommandError)) return String(error);
  try {
    const { msg, details } = JSON.parse(error.stdout) as { msg?: string; details?: string };
    return [msg, details].filter(Boolean).join(': ') || error.message;
  } catch {
    return error.message;
  }
}
