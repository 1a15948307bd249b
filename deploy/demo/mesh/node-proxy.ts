/** One node's proxy as the demo runs it, in its node's network, replaced by a new process at will. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { Child } from '../ground/child.ts';
import type { NodeGround } from '../ground/wire.ts';
import { CALCULATOR, GRPC_CALCULATOR, STRANGERS, TROUBLE } from '../inventory.ts';
import { ask, mustAsk } from './http.ts';
import { parseMetrics, type Sample } from './metrics.ts';
import { type Namerd, TRUST_DOMAIN } from './namerd.ts';

const PROJECT = dirname(dirname(dirname(import.meta.dirname)));
const ADMIN_PORT = 9990;
const DRAIN_SECONDS = 5;
/** What a proxy logs when its listeners stand. */
const STARTED = 'node-proxy runs';

export class NodeProxy {
  readonly node: NodeGround;
  readonly socket: string;
  readonly accessLog: string;
  readonly #folder: string;
  readonly #configFile: string;
  #child: Child | undefined;
  #starts = 0;

  constructor(folder: string, node: NodeGround, namerd: Namerd) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.node = node;
    this.#folder = folder;
    this.socket = join(folder, 'node.sock');
    this.accessLog = join(folder, 'access.log');
    this.#configFile = join(folder, 'node-proxy.yaml');
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
      tunnelWorkers: 1,
      // The least that is taken, so that it is soon full.
      policyWorkerHeapMb: 64,
      isolatedNamespaces: [TROUBLE],
      enrolment: { namespaces: [CALCULATOR, GRPC_CALCULATOR, TROUBLE], excludedNamespaces: [STRANGERS] },
      accessLog: this.accessLog,
      drainSeconds: DRAIN_SECONDS,
    };
    writeFileSync(this.#configFile, stringify(config));
  }

  async start(): Promise<void> {
    const child = this.#spawn();
    this.#child = child;
    await child.until('ready', () => this.#isReady());
  }

  /** A new process takes the listeners over while the old one still serves; then the old one drains. */
  async replace(): Promise<{ before: number | undefined; after: number | undefined }> {
    const old = this.#child;
    const child = this.#spawn();
    this.#child = child;
    // Both answer on the admin port for a while; the new one's own log says when it has taken over.
    await child.until('ready', async () => readFileSync(child.logFile, 'utf8').includes(STARTED));
    await old?.stop();
    return { before: old?.pid, after: child.pid };
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  async kill(): Promise<void> {
    await this.#child?.stop('SIGKILL');
  }

  /** `enroll`, `unenroll` or `status`, as an operator on the node would run them. */
  command(verb: string, ...args: string[]): Promise<string> {
    const main = join(PROJECT, 'node-proxy/main.ts');
    return this.node.namespace.run([process.execPath, main, verb, '--socket', this.socket, ...args]);
  }

  async metrics(): Promise<Sample[]> {
    return parseMetrics(await mustAsk(this.#admin, '/metrics'));
  }

  async dump(): Promise<unknown> {
    return JSON.parse(await mustAsk(this.#admin, '/dump'));
  }

  /** The lines of the access log, oldest first. */
  accesses(): Record<string, unknown>[] {
    const lines = readFileSync(this.accessLog, 'utf8').split('\n');
    return lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line));
  }

  get #admin(): { host: string; port: number } {
    return { host: this.node.ip, port: ADMIN_PORT };
  }

  async #isReady(): Promise<boolean> {
    return (await ask(this.#admin, '/ready')).status === 200;
  }

  #spawn(): Child {
    this.#starts += 1;
    const main = join(PROJECT, 'node-proxy/main.ts');
    const run = [process.execPath, main, 'run', '--config', this.#configFile];
    return new Child({
      name: `node-proxy of ${this.node.name}`,
      command: [...this.node.namespace.prefix, ...run],
      logFile: join(this.#folder, `node-proxy-${this.#starts}.log`),
    });
  }
}
