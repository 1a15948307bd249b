/** Our proxy of one node, as the bench runs it: access log off, everything else by default. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { Child } from '../../deploy/demo/ground/child.ts';
import type { NodeGround } from '../../deploy/demo/ground/wire.ts';
import { ask } from '../../deploy/demo/mesh/http.ts';
import { type Namerd, TRUST_DOMAIN } from '../../deploy/demo/mesh/namerd.ts';

const MAIN = join(dirname(dirname(import.meta.dirname)), 'node-proxy/main.ts');
const ADMIN_PORT = 9990;
const DRAIN_SECONDS = 1;

export interface NodeProxyOptions {
  folder: string;
  node: NodeGround;
  namerd: Namerd;
  /** Namespaces whose pods are enrolled, and those that never are. */
  enrolled: string;
  excluded: string;
  tunnelWorkers: number;
  /** Words in front of the command, to pin it. */
  pin: readonly string[];
  /** For Node.js. */
  flags?: readonly string[];
}

export class NodeProxy {
  readonly socket: string;
  readonly #node: NodeGround;
  readonly #folder: string;
  readonly #command: readonly string[];
  #child: Child | undefined;

  constructor({ folder, node, namerd, enrolled, excluded, tunnelWorkers, pin, flags }: NodeProxyOptions) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#node = node;
    this.#folder = folder;
    this.socket = join(folder, 'node.sock');
    const config = {
      node: node.name,
      trustDomain: TRUST_DOMAIN,
      namerd: {
        address: namerd.meshAddress,
        rootsFile: namerd.rootsFile,
        joinTokenFile: namerd.tokenFile(node.name),
      },
      socket: this.socket,
      stateDir: join(folder, 'state'),
      admin: { ip: node.ip, port: ADMIN_PORT },
      tunnelWorkers,
      enrolment: { namespaces: [enrolled], excludedNamespaces: [excluded] },
      accessLog: 'off',
      logLevel: 'warn',
      drainSeconds: DRAIN_SECONDS,
    };
    const file = join(folder, 'node-proxy.yaml');
    writeFileSync(file, stringify(config));
    const program = [process.execPath, ...(flags ?? []), MAIN, 'run', '--config', file];
    this.#command = [...node.namespace.prefix, ...pin, ...program];
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Ends the process that runs, if any, and waits until a new one is ready. */
  async restart(): Promise<void> {
    await this.stop();
    this.#child = new Child({
      name: `node-proxy of ${this.#node.name}`,
      command: this.#command,
      logFile: join(this.#folder, 'node-proxy.log'),
    });
    const admin = { host: this.#node.ip, port: ADMIN_PORT };
    await this.#child.until('ready', async () => (await ask(admin, '/ready')).status === 200);
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }
}
