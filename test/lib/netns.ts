/**
 * A laboratory of network namespaces for tests, the demo and the benchmarks.
 *
 *   await using lab = await NetnsLab.open();
 *   const node = await lab.namespace('node');
 *   const pod = await lab.namespace('pod');
 *   await lab.bridge(node, 'br0', ['10.0.0.1/24', 'fd00::1/64']);
 *   await lab.attach(pod, node, 'br0', ['10.0.0.2/24', 'fd00::2/64']);   // eth0 in the pod, default routes to the bridge
 *   const { port } = await pod.listen('10.0.0.2', 0, socket => socket.end('hi'));
 *   const socket = await node.connect('10.0.0.2', port);
 *
 * Everything lives inside the laboratory's own namespaces; the machine's namespace is never touched, so
 * deleting the namespaces deletes every interface, rule and route. Names carry the process id: `open`
 * removes what crashed processes left behind, and the exit of this process removes what is its own.
 */

import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, isIPv6, type Server, Socket } from 'node:net';
import {
  type ConnectingOptions,
  connectingSocketIn,
  type ListenOptions,
  listenIn,
  type NetnsHandle,
  openNetns,
  setSysctlIn,
} from '../../node-proxy/kernel/index.ts';

const PREFIX = 'nmt-';
const RUN_DIRECTORY = '/run/netns';
const COMMAND_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Why namespaces can't be used here, for `{ skip: netnsUnavailable() }` of node:test; false if they can. With
 * NODEMESH_REQUIRE_NETNS=1 (continuous integration) nothing is skipped, so the tests fail instead.
 */
export function netnsUnavailable(): string | false {
  if (process.env['NODEMESH_REQUIRE_NETNS'] === '1') return false;
  if (process.getuid?.() !== 0) return 'needs root (or unshare --user --map-root-user --net --mount)';
  const missing = ['ip', 'iptables', 'nsenter'].filter(command => !onPath(command));
  return missing.length > 0 && `needs the commands ${missing.join(', ')}`;
}

/** True if a command is on the PATH or in the usual system directories. */
export function onPath(command: string): boolean {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return directories.some(directory => existsSync(`${directory}/${command}`));
}

export interface CommandResult {
  stdout: string;
  stderr: string;
}

/** Runs a command in the machine's namespace. Rejects with its standard error if it fails or takes over 10 s. */
export function run(command: string, args: readonly string[], input?: string): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const options = { timeout: COMMAND_TIMEOUT_MS, maxBuffer: 16 << 20 };
    const child = execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr });
      else reject(new Error(`${command} ${args.join(' ')}: ${stderr.trim() || error.message}`));
    });
    // A command that fails early closes its input; its exit says why.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

/** One network namespace of a {@link NetnsLab}. */
export class TestNetns {
  readonly name: string;
  /** `/run/netns/NAME`, as a container runtime passes it to CNI plugins. */
  readonly path: string;
  /** Open for the lifetime of the laboratory; for node-proxy/kernel. */
  readonly handle: NetnsHandle;
  readonly #children = new Set<ChildProcess>();
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();

  constructor(name: string) {
    this.name = name;
    this.path = `${RUN_DIRECTORY}/${name}`;
    this.handle = openNetns(this.path);
  }

  /** Runs a command inside and waits for it. */
  run(command: string, ...args: string[]): Promise<CommandResult> {
    return run('nsenter', [`--net=${this.path}`, '--', command, ...args]);
  }

  /** Starts a long-running command inside; it is killed with the laboratory. An `ipc` channel in `stdio` works. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.path}`, '--', command, ...args], options);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Adds an address to an interface, at once usable (no duplicate address detection). */
  async addAddress(device: string, cidr: string): Promise<void> {
    const nodad = cidr.includes(':') ? ['nodad'] : [];
    await run('ip', ['-n', this.name, 'address', 'add', cidr, 'dev', device, ...nodad]);
  }

  /** A TCP server inside, served by this process. Port 0 = any. Closed with the laboratory. */
  async listen(
    ip: string,
    port: number,
    onConnection: (socket: Socket) => void,
    options: Partial<ListenOptions> = {},
  ): Promise<{ server: Server; port: number }> {
    const listening = listenIn(this.handle, { ip, port, ...options });
    const server = createServer({ allowHalfOpen: true }, socket => {
      this.#own(socket);
      onConnection(socket);
    });
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    server.listen({ fd: listening.fd, backlog: 4096 });
    await once(server, 'listening');
    return { server, port: listening.port };
  }

  /** A TCP connection from inside, as an application there would open it. Rejects if it fails or takes over 3 s. */
  async connect(ip: string, port: number, options: Partial<ConnectingOptions> = {}): Promise<Socket> {
    const fd = connectingSocketIn(this.handle, { family: isIPv6(ip) ? 6 : 4, ...options });
    const socket = new Socket({ fd });
    this.#own(socket);
    socket.connect(port, ip);
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    } catch (error) {
      socket.destroy();
      const { name } = error as Error;
      throw name === 'AbortError'
        ? new Error(`connect ${ip} port ${port}: no answer`, { cause: error })
        : error;
    }
    return socket;
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // A test that cares listens itself; an unhandled reset must not end the test run.
    socket.on('error', () => {});
  }

  /** Stops everything that was started inside and deletes the namespace. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const gone: Promise<unknown>[] = [];
    for (const server of this.#servers) gone.push(once(server.close(), 'close'));
    for (const child of this.#children) {
      gone.push(once(child, 'exit'));
      child.kill('SIGKILL');
    }
    await Promise.all(gone);
    this.handle.close();
    await run('ip', ['netns', 'delete', this.name]);
    alive.delete(this.name);
  }
}

/** Names of this process's namespaces that exist, for the exit hook. */
const alive = new Set<string>();
let sequence = 0;

export class NetnsLab {
  readonly #namespaces: TestNetns[] = [];
  #links = 0;

  private constructor() {}

  /** Removes the leftovers of dead processes, then starts empty. */
  static async open(): Promise<NetnsLab> {
    await removeOrphans();
    return new NetnsLab();
  }

  /** A new namespace with its loopback up. @param label for people: letters, digits, dashes. */
  async namespace(label: string): Promise<TestNetns> {
    const name = `${PREFIX}${process.pid}-${++sequence}-${label}`;
    await run('ip', ['netns', 'add', name]);
    if (alive.size === 0) process.once('exit', removeAliveNow);
    alive.add(name);
    const ns = new TestNetns(name);
    this.#namespaces.push(ns);
    for (const scope of ['all', 'default']) {
      setSysctlIn(ns.handle, `net.ipv6.conf.${scope}.accept_dad`, 0);
      setSysctlIn(ns.handle, `net.ipv6.conf.${scope}.disable_ipv6`, 0);
    }
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return ns;
  }

  /** A pair of connected interfaces, both up. */
  async veth(
    a: { ns: TestNetns; device: string; addresses?: readonly string[] },
    b: { ns: TestNetns; device: string; addresses?: readonly string[] },
  ): Promise<void> {
    const peer = ['peer', 'name', b.device, 'netns', b.ns.name];
    await run('ip', ['-n', a.ns.name, 'link', 'add', a.device, 'type', 'veth', ...peer]);
    for (const { ns, device, addresses = [] } of [a, b]) {
      await run('ip', ['-n', ns.name, 'link', 'set', device, 'up']);
      for (const address of addresses) await ns.addAddress(device, address);
    }
  }

  /** A bridge inside `ns`, with forwarding between the bridge and the namespace's other interfaces. */
  async bridge(ns: TestNetns, device: string, addresses: readonly string[]): Promise<void> {
    // An address of its own: else the bridge takes the lowest of its ports', and a pod that comes later changes it
    // under the neighbours that have learnt it.
    const address = ['02', ...randomBytes(5).toString('hex').match(/../g)!].join(':');
    await run('ip', ['-n', ns.name, 'link', 'add', device, 'address', address, 'type', 'bridge']);
    await run('ip', ['-n', ns.name, 'link', 'set', device, 'up']);
    for (const address of addresses) await ns.addAddress(device, address);
    setSysctlIn(ns.handle, 'net.ipv4.ip_forward', 1);
    setSysctlIn(ns.handle, 'net.ipv6.conf.all.forwarding', 1);
  }

  /** Gives `pod` an `eth0` on the bridge of `node`, and default routes through the bridge's addresses. */
  async attach(pod: TestNetns, node: TestNetns, bridge: string, addresses: readonly string[]): Promise<void> {
    const port = `veth${++this.#links}`;
    await this.veth({ ns: pod, device: 'eth0', addresses }, { ns: node, device: port });
    await run('ip', ['-n', node.name, 'link', 'set', port, 'master', bridge]);
    const { stdout } = await run('ip', ['-n', node.name, '-json', 'address', 'show', 'dev', bridge]);
    const [link] = JSON.parse(stdout) as [{ addr_info: { local: string; scope: string }[] }];
    for (const { local, scope } of link.addr_info) {
      const wanted = addresses.some(address => address.includes(':') === local.includes(':'));
      if (scope === 'global' && wanted)
        await run('ip', ['-n', pod.name, 'route', 'add', 'default', 'via', local]);
    }
  }

  /** Closes all namespaces, newest first. All are tried; the first failure is thrown. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let ns = this.#namespaces.pop(); ns !== undefined; ns = this.#namespaces.pop())
      await ns.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Last resort when a test run is interrupted: the namespaces go, children inside lose their network. */
function removeAliveNow(): void {
  for (const name of alive) spawnSync('ip', ['netns', 'delete', name], { timeout: COMMAND_TIMEOUT_MS });
}

async function removeOrphans(): Promise<void> {
  if (!existsSync(RUN_DIRECTORY)) return;
  for (const name of readdirSync(RUN_DIRECTORY)) {
    const pid = /^nmt-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      // Another process may be doing the same.
      await run('ip', ['netns', 'delete', name]).catch(() => {});
  }
}
