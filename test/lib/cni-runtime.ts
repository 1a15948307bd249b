/**
 * Calls CNI plugins as a container runtime does (CNI specification 1.1, section 4): the list in order for ADD, each plugin
 * with the result of the one before; in reverse for DEL, each with the cached final result.
 *
 *   const runtime = new CniRuntime({ list, node, commands: { nodemesh: ['/path/nodemesh-cni'] } });
 *   const result = await runtime.add({ id: 'c1', netns: pod.path, podName: 'a', podNamespace: 'shop' });
 *   await runtime.delete(…);
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestNetns } from './netns.ts';

/** Debian's package containernetworking-plugins, and where everybody else puts them. */
const PLUGIN_DIRECTORIES = ['/usr/lib/cni', '/opt/cni/bin'];
const PLUGIN_TIMEOUT_MS = 20_000;

export interface PluginConfig extends Record<string, unknown> {
  type: string;
}

/** Content of a `.conflist` file. */
export interface NetworkList {
  cniVersion: string;
  name: string;
  plugins: readonly PluginConfig[];
}

export interface CniResult extends Record<string, unknown> {
  cniVersion: string;
  interfaces?: { name: string; mac?: string; sandbox?: string }[];
  ips?: { address: string; gateway?: string; interface?: number }[];
}

/** One container's interface in the network. */
export interface Container {
  id: string;
  /** Path of its network namespace; may be absent for DEL. */
  netns?: string;
  /** Default `eth0`. */
  ifName?: string;
  /** CNI_ARGS as Kubernetes runtimes pass them. */
  podName?: string;
  podNamespace?: string;
}

/** A plugin's error result, or its failure to give one. */
export class CniFailure extends Error {
  readonly plugin: string;
  readonly code: number | undefined;
  readonly details: string;

  constructor(plugin: string, code: number | undefined, message: string, details: string) {
    super(`${plugin}: ${message}`);
    this.name = 'CniFailure';
    this.plugin = plugin;
    this.code = code;
    this.details = details;
  }
}

export interface CniRuntimeOptions {
  list: NetworkList;
  /** Namespace that plays the node; absent = the machine's own. */
  node?: TestNetns;
  /** Command per plugin type, instead of an executable of that name in the usual directories. */
  commands?: Readonly<Record<string, readonly string[]>>;
}

/** False if the named plugins are installed, else the reason to skip. */
export function cniPluginsUnavailable(...types: string[]): string | false {
  const missing = types.filter(type => pluginPath(type) === undefined);
  return missing.length > 0 && `needs the CNI plugins ${missing.join(', ')} (containernetworking-plugins)`;
}

function pluginPath(type: string): string | undefined {
  return PLUGIN_DIRECTORIES.map(directory => join(directory, type)).find(path => existsSync(path));
}

export class CniRuntime {
  readonly #list: NetworkList;
  readonly #prefix: readonly string[];
  readonly #commands: Readonly<Record<string, readonly string[]>>;
  readonly #results = new Map<string, CniResult>();

  constructor({ list, node, commands = {} }: CniRuntimeOptions) {
    this.#list = list;
    this.#prefix = node === undefined ? [] : ['nsenter', `--net=${node.path}`, '--'];
    this.#commands = commands;
  }

  /** @throws CniFailure of the first plugin that fails; a runtime calls {@link delete} then. */
  async add(container: Container): Promise<CniResult> {
    let prevResult: CniResult | undefined;
    for (const plugin of this.#list.plugins) {
      const { stdout } = await this.#call('ADD', plugin, container, { prevResult });
      prevResult = JSON.parse(stdout) as CniResult;
    }
    if (prevResult === undefined) throw new Error('the list has no plugins');
    this.#results.set(container.id, prevResult);
    return prevResult;
  }

  /** @throws CniFailure of the first plugin that fails; those before it in the list are not called then. */
  async delete(container: Container): Promise<void> {
    const prevResult = this.#results.get(container.id);
    for (const plugin of this.#list.plugins.toReversed())
      await this.#call('DEL', plugin, container, { prevResult });
    this.#results.delete(container.id);
  }

  async check(container: Container): Promise<void> {
    const prevResult = this.#results.get(container.id);
    for (const plugin of this.#list.plugins) await this.#call('CHECK', plugin, container, { prevResult });
  }

  /** Tells one plugin, or all, which containers exist. */
  async gc(valid: readonly Container[], only?: string): Promise<void> {
    const attachments = valid.map(({ id, ifName = 'eth0' }) => ({ containerID: id, ifname: ifName }));
    for (const plugin of this.#of(only))
      await this.#call('GC', plugin, undefined, { 'cni.dev/valid-attachments': attachments });
  }

  async status(only?: string): Promise<void> {
    for (const plugin of this.#of(only)) await this.#call('STATUS', plugin, undefined, {});
  }

  async version(type: string): Promise<{ cniVersion: string; supportedVersions: string[] }> {
    const { stdout } = await this.#call('VERSION', { type }, undefined, {});
    return JSON.parse(stdout);
  }

  #of(only: string | undefined): readonly PluginConfig[] {
    return this.#list.plugins.filter(({ type }) => only === undefined || type === only);
  }

  #call(
    command: string,
    plugin: PluginConfig,
    container: Container | undefined,
    extra: Record<string, unknown>,
  ): Promise<{ stdout: string; stderr: string }> {
    const { cniVersion, name } = this.#list;
    const config = { ...plugin, cniVersion, name, ...extra };
    return callPlugin(
      [...this.#prefix, ...(this.#commands[plugin.type] ?? [pluginPath(plugin.type) ?? plugin.type])],
      { CNI_COMMAND: command, CNI_PATH: PLUGIN_DIRECTORIES.join(':'), ...environmentOf(container) },
      JSON.stringify(config),
      plugin.type,
    );
  }
}

function environmentOf(container: Container | undefined): Record<string, string> {
  if (container === undefined) return {};
  const { id, netns = '', ifName = 'eth0', podName, podNamespace } = container;
  const pod =
    podName === undefined ? '' : `IgnoreUnknown=1;K8S_POD_NAMESPACE=${podNamespace};K8S_POD_NAME=${podName}`;
  return { CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: ifName, CNI_ARGS: pod };
}

/** Runs one plugin once. @param env replaces the whole environment but PATH. @throws CniFailure */
export function callPlugin(
  [command = '', ...args]: readonly string[],
  env: Record<string, string>,
  stdin: string,
  plugin: string,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { PATH: process.env['PATH'], ...env },
      timeout: PLUGIN_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', chunk => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk));
    // A plugin that fails early need not read its input.
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    child.once('error', error => reject(new CniFailure(plugin, undefined, error.message, '')));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve({ stdout, stderr });
      try {
        const {
          code,
          msg,
          details = '',
        } = JSON.parse(stdout) as { code: number; msg: string; details?: string };
        return reject(new CniFailure(plugin, code, msg, details));
      } catch {
        const how = signal ?? `status ${code}`;
        return reject(
          new CniFailure(plugin, undefined, `${how} without an error result: ${stdout}${stderr}`, ''),
        );
      }
    });
  });
}

/**
 * A list that makes a bridge with Debian's `bridge` and `host-local` plugins, and then calls `nodemesh`.
 * @param dataDir for host-local's book-keeping; delete it after the test. @param nodemesh absent = no mesh.
 */
export function bridgeNetwork(options: {
  name: string;
  bridge: string;
  subnets: readonly string[];
  dataDir: string;
  nodemesh?: Record<string, unknown>;
  cniVersion?: string;
}): NetworkList {
  const { name, bridge, subnets, dataDir, nodemesh, cniVersion = '1.0.0' } = options;
  const ranges = subnets.map(subnet => [{ subnet }]);
  const routes = subnets.map(subnet => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' }));
  return {
    cniVersion,
    name,
    plugins: [
      { type: 'bridge', bridge, isGateway: true, ipam: { type: 'host-local', ranges, routes, dataDir } },
      ...(nodemesh === undefined ? [] : [{ type: 'nodemesh', ...nodemesh }]),
    ],
  };
}
