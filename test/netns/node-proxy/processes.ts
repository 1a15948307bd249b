/** namerd and node proxies as processes of their own, each in its namespace, stopped, killed and replaced at will. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { NodeClient } from '#cni';
import { Child } from '../../../deploy/demo/ground/child.ts';
import type { TestNetns } from '../../lib/netns.ts';
import { Site } from './page.ts';

export const TRUST_DOMAIN = 'mesh.test';
const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const NAMERD = join(PROJECT, 'namerd/main.ts');
export const NODE_PROXY = join(PROJECT, 'node-proxy/main.ts');
const CONTROL_PORT = 4180;
const MESH_PORT = 4321;
const ADMIN_PORT = 9990;
const LOCAL_TIMEOUT_MS = 30_000;

export interface NamerdSetup {
  ns: TestNetns;
  ip: string;
  folder: string;
  nodes: readonly string[];
  /** `ca` of the mesh interface; a directory of its own by default. */
  ca?: object;
  /** Where `roots.pem` for node proxies is, if `ca` is given. */
  rootsFile?: string;
  certificateTtlHours?: number;
}

export class NamerdProcess {
  readonly control: Site;
  readonly meshAddress: string;
  readonly rootsFile: string;
  readonly registry: string;
  readonly #setup: NamerdSetup;
  readonly #configFile: string;
  #child: Child | undefined;

  constructor(setup: NamerdSetup) {
    const { ns, ip, folder, nodes, ca = { dir: join(folder, 'ca') }, certificateTtlHours } = setup;
    this.#setup = setup;
    this.control = new Site(ns, ip, CONTROL_PORT);
    this.meshAddress = `${ip}:${MESH_PORT}`;
    this.registry = join(folder, 'registry');
    this.rootsFile = setup.rootsFile ?? join(folder, 'ca', 'roots.pem');
    mkdirSync(this.registry, { recursive: true });
    for (const node of nodes) writeFileSync(this.tokenFile(node), randomBytes(24).toString('hex'));
    this.#configFile = join(folder, 'namerd.yaml');
    const mesh = {
      kind: 'io.nodemesh.mesh',
      ip,
      port: MESH_PORT,
      trustDomain: TRUST_DOMAIN,
      ca,
      nodes: nodes.map(name => ({ name, tokenFile: this.tokenFile(name) })),
      ...(certificateTtlHours === undefined ? {} : { certificateTtlHours }),
    };
    const config = {
      admin: { ip, port: 9991 },
      storage: { kind: 'io.nodemesh.file', dir: join(folder, 'storage') },
      namers: [{ kind: 'io.nodemesh.registry', dir: this.registry }],
      interfaces: [{ kind: 'io.l5d.httpController', ip, port: CONTROL_PORT }, mesh],
    };
    writeFileSync(this.#configFile, stringify(config));
  }

  tokenFile(node: string): string {
    return join(this.#setup.folder, `${node}.token`);
  }

  /** Resolves when its control API answers. */
  async start(): Promise<void> {
    const { ns, folder } = this.#setup;
    this.#child = new Child({
      name: 'namerd',
      command: ['nsenter', `--net=${ns.path}`, '--', process.execPath, NAMERD, this.#configFile],
      logFile: join(folder, 'namerd.log'),
    });
    await this.#child.until('ready', async () => (await this.control.ask('/api/1/dtabs')).status === 200);
  }

  /** As a crash would: nothing is said goodbye to. */
  async kill(): Promise<void> {
    await this.#child?.stop('SIGKILL');
  }
}

export interface ProxySetup {
  ns: TestNetns;
  ip: string;
  folder: string;
  node: string;
  namerd: NamerdProcess;
  /** Over the defaults of this rig. */
  config?: Readonly<Record<string, unknown>>;
}

/** A proxy's process, or the processes that follow one another on a node. */
export class ProxyProcess {
  readonly node: string;
  readonly admin: Site;
  readonly configFile: string;
  readonly socket: string;
  readonly stateDir: string;
  readonly local: NodeClient;
  readonly #setup: ProxySetup;
  #child: Child | undefined;
  #starts = 0;

  constructor(setup: ProxySetup) {
    const { ns, ip, folder, node, namerd, config } = setup;
    mkdirSync(folder, { recursive: true });
    this.#setup = setup;
    this.node = node;
    this.admin = new Site(ns, ip, ADMIN_PORT);
    this.socket = join(folder, 'node.sock');
    this.stateDir = join(folder, 'state');
    this.configFile = join(folder, 'node-proxy.yaml');
    this.local = new NodeClient(this.socket, LOCAL_TIMEOUT_MS);
    const all = {
      node,
      trustDomain: TRUST_DOMAIN,
      namerd: {
        address: namerd.meshAddress,
        rootsFile: namerd.rootsFile,
        joinTokenFile: namerd.tokenFile(node),
      },
      socket: this.socket,
      stateDir: this.stateDir,
      admin: { ip, port: ADMIN_PORT },
      tunnelWorkers: 1,
      enrolment: { namespaces: ['shop'], excludedNamespaces: [] },
      accessLog: join(folder, 'access.log'),
      drainSeconds: 5,
      ...config,
    };
    writeFileSync(this.configFile, stringify(all));
  }

  /** Resolves when its listeners stand; with `ready` only when nothing blocks it any more. */
  async start({ ready = true } = {}): Promise<Child> {
    const child = this.spawn();
    this.#child = child;
    await child.until('running', async () => readFileSync(child.logFile, 'utf8').includes('node-proxy runs'));
    if (ready) await child.until('ready', async () => (await this.admin.ask('/ready')).status === 200);
    return child;
  }

  /** A process of this node's proxy that is not waited for. */
  spawn(): Child {
    const { ns, folder, node } = this.#setup;
    this.#starts += 1;
    return new Child({
      name: `node-proxy of ${node}`,
      command: [
        ...['nsenter', `--net=${ns.path}`, '--'],
        ...[process.execPath, NODE_PROXY, 'run', '--config', this.configFile],
      ],
      logFile: join(folder, `node-proxy-${this.#starts}.log`),
    });
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error(`the proxy of ${this.node} was never started`);
    return this.#child;
  }

  /** The lines of the present process's log that carry this message. */
  logged(message: string): Record<string, unknown>[] {
    const lines = readFileSync(this.child.logFile, 'utf8').split('\n');
    const entries = lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line));
    return entries.filter(({ msg }) => msg === message);
  }

  accesses(): Record<string, unknown>[] {
    const lines = readFileSync(join(this.#setup.folder, 'access.log'), 'utf8').split('\n');
    return lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line));
  }

  /** Descriptors that the process has open. */
  openFds(): number {
    return readdirSync(`/proc/${this.child.pid}/fd`).length;
  }

  /** SIGTERM; says how the process went. */
  stop(): Promise<string> {
    return this.child.stop();
  }

  async kill(): Promise<void> {
    await this.#child?.stop('SIGKILL');
  }

  /** `enroll`, `unenroll`, `status`, `validate`, as an operator on the node would run them. */
  command(...args: string[]): Promise<Outcome> {
    return nodeProxy(...args, '--config', this.configFile);
  }
}

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs `node-proxy ARGS` to its end. */
export function nodeProxy(...args: string[]): Promise<Outcome> {
  return new Promise(resolve => {
    const child = execFile(
      process.execPath,
      [NODE_PROXY, ...args],
      { timeout: 20_000 },
      (_error, out, err) => {
        resolve({ code: child.exitCode ?? -1, out, err });
      },
    );
  });
}
