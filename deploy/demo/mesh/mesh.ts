/** The mesh of the demo: namerd, a proxy on each node, and the end of the CNI chain that enrols pods. */

import { execFileSync } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CniPlugin } from '../ground/cni-runtime.ts';
import type { NodeGround } from '../ground/wire.ts';
import { STRANGERS } from '../inventory.ts';
import { Namerd } from './namerd.ts';
import { NodeProxy } from './node-proxy.ts';

const PROJECT = dirname(dirname(dirname(import.meta.dirname)));
const CNI_FOLDER = join(PROJECT, 'dist');
const CNI_TYPE = 'nodemesh-cni';

export class Mesh {
  readonly namerd: Namerd;
  readonly proxies: readonly NodeProxy[];

  constructor(folder: string, registry: string, nodes: readonly NodeGround[]) {
    this.namerd = new Namerd({
      folder: join(folder, 'namerd'),
      registry,
      nodes: nodes.map(({ name }) => name),
    });
    this.proxies = nodes.map(node => new NodeProxy(join(folder, node.name), node, this.namerd));
  }

  async start(): Promise<void> {
    await this.namerd.start();
    await Promise.all(this.proxies.map(proxy => proxy.start()));
  }

  /** What a node's conflist has after the plugins that connect a pod. */
  chained(node: NodeGround): { plugins: readonly CniPlugin[]; folders: readonly string[] } {
    const { socket } = this.proxyOf(node);
    const plugin = { type: CNI_TYPE, socket, excludedNamespaces: [STRANGERS] };
    return { plugins: [plugin], folders: [CNI_FOLDER] };
  }

  proxyOf(node: NodeGround): NodeProxy {
    const proxy = this.proxies[node.index - 1];
    if (proxy === undefined) throw new RangeError(`no proxy on ${node.name}`);
    return proxy;
  }

  async stop(): Promise<void> {
    await Promise.all(this.proxies.map(proxy => proxy.kill()));
    await this.namerd.kill();
  }
}

/** Builds the CNI binary unless the one that is there is newer than all its sources. */
export function buildCni(say: (step: string) => void): void {
  const binary = join(CNI_FOLDER, CNI_TYPE);
  const built = statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = globSync(['cni-plugin/**/*.ts', 'namerd/base/*.ts', 'package-lock.json'], { cwd: PROJECT });
  if (sources.every(source => statSync(join(PROJECT, source)).mtimeMs < built)) return;
  execFileSync(process.execPath, [join(PROJECT, 'cni-plugin/build.mjs')], { stdio: 'pipe' });
  say(`built dist/${CNI_TYPE}`);
}
