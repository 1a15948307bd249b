/** Everything that the demo has running, in one place: nodes, pods, mesh; and traffic on order. */

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Scope } from '#base/lifecycle.ts';
import type { Behaviour } from './calculator/behaviour.ts';
import type { Delivery, Order } from './calculator/courier.ts';
import type { GrpcDelivery, GrpcOrder } from './calculator/grpc/trip.ts';
import { Cluster, type Running } from './cluster.ts';
import type { Child } from './ground/child.ts';
import { layWire } from './ground/wire.ts';
import {
  CALCULATOR,
  emptyPod,
  program,
  SERVICES,
  STRANGERS,
  WORKLOADS,
  type WorkloadSpec,
} from './inventory.ts';
import { readCounters, type TargetCounters } from './mesh/counters.ts';
import { type Edge, edgesOf } from './mesh/edges.ts';
import { mustAsk } from './mesh/http.ts';
import { Mesh } from './mesh/mesh.ts';
import type { Sample } from './mesh/metrics.ts';
import { Couriers } from './traffic/couriers.ts';
import type { HboneAnswer } from './traffic/hbone-caller.ts';

/** On the private /run of the demo's corner: in memory, and gone with it. */
const FOLDER = '/run/nodemesh-demo';
const BURST_TIMEOUT_MS = 120_000;

export interface BuildOptions {
  /** Without a mesh. */
  plain: boolean;
  /** Told of each step. */
  say: (step: string) => void;
  signal: AbortSignal;
}

export interface BurstOptions {
  count?: number;
  concurrency?: number;
  pauseMs?: number;
}

/** Calls that go on and on. */
export interface Traffic {
  /** What came of them so far. */
  read(): Promise<TargetCounters>;
  /** Ends them, and tells what came of all. */
  stop(): Promise<TargetCounters>;
}

const NONE: TargetCounters = { calls: 0, outcomes: {}, answeredBy: {}, seenAs: {}, latenciesMs: [] };

export class Stage {
  readonly folder = FOLDER;
  readonly cluster: Cluster;
  readonly #mesh: Mesh | undefined;
  readonly #scope: Scope;
  readonly #couriers = new Couriers(join(FOLDER, 'pods'));
  #bursts = 0;

  private constructor(cluster: Cluster, mesh: Mesh | undefined, scope: Scope) {
    this.cluster = cluster;
    this.#mesh = mesh;
    this.#scope = scope;
  }

  /** Rejects when `signal` is given before the stage stands; what was built until then is taken down. */
  static async build({ plain, say, signal }: BuildOptions): Promise<Stage> {
    const scope = new Scope();
    try {
      mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
      const nodes = await layWire(2);
      const registry = join(FOLDER, 'registry');
      const mesh = plain ? undefined : new Mesh(FOLDER, registry, nodes);
      const chained = mesh?.chained.bind(mesh) ?? (() => ({ plugins: [], folders: [] }));
      const cluster = await Cluster.create({ folder: FOLDER, registry, services: SERVICES, nodes, chained });
      if (mesh !== undefined) {
        scope.add('mesh', () => mesh.stop());
        await mesh.start();
        say('namerd and two node proxies run');
      }
      scope.add('pods', () => cluster.close());
      const strangers = nodes.map(({ index }) => emptyPod(STRANGERS, `stranger-${index}`, index));
      for (const workload of [...WORKLOADS, ...strangers]) {
        signal.throwIfAborted();
        await cluster.start(workload);
      }
      say(`${cluster.running.size} pods on ${nodes.length} nodes`);
      return new Stage(cluster, mesh, scope);
    } catch (error) {
      await scope.close();
      throw error;
    }
  }

  /** Throws in a demo without a mesh. */
  get mesh(): Mesh {
    if (this.#mesh === undefined) throw new RangeError('this demo runs without a mesh');
    return this.#mesh;
  }

  /** A calculator pod by its name: `addition-1`. */
  pod(name: string): Running {
    return this.cluster.get(`${CALCULATOR}/${name}`);
  }

  /** The pod on node 1 or 2 that neither the mesh nor the registry knows. */
  stranger(node: 1 | 2): Running {
    return this.cluster.get(`${STRANGERS}/stranger-${node}`);
  }

  /** Starts those of the pods that do not run yet: all that serve at once, then their callers. */
  async cast(workloads: readonly WorkloadSpec[]): Promise<void> {
    const missing = [...new Set(workloads)].filter(
      ({ namespace, name }) => !this.cluster.running.has(`${namespace}/${name}`),
    );
    const serving = Map.groupBy(missing, ({ serves }) => serves !== undefined);
    for (const first of [true, false])
      await Promise.all((serving.get(first) ?? []).map(spec => this.cluster.start(spec)));
  }

  /** Calls a URL from inside a pod and counts what came of it. */
  async burst({ pod }: Running, url: string, options: BurstOptions = {}): Promise<TargetCounters> {
    return JSON.parse(await pod.run(burstCommand(url, options), BURST_TIMEOUT_MS)) as TargetCounters;
  }

  /** The same, without end, until it is stopped. */
  async keepCalling({ pod }: Running, url: string, options: BurstOptions = {}): Promise<Traffic> {
    this.#bursts += 1;
    const name = `burst-${this.#bursts}`;
    const socket = join(this.folder, `${name}.sock`);
    const command = burstCommand(url, { ...options, count: Number.MAX_SAFE_INTEGER });
    const child = pod.start(name, command, { COUNTERS: socket });
    const read = async () => (await readCounters(socket))[url] ?? NONE;
    await child.until('calling', async () => (await read()).calls > 0);
    const stop = async () => {
      await child.stop();
      const counters = JSON.parse(readFileSync(child.logFile, 'utf8')) as TargetCounters;
      for (const file of [socket, child.logFile]) rmSync(file, { force: true });
      return counters;
    };
    return { read, stop };
  }

  /** Makes HTTP requests from inside a pod, over connections that are kept. */
  order(from: Running, order: Order): Promise<Delivery> {
    return this.#couriers.order(from, order);
  }

  /** The same without end, until it is stopped. */
  keepOrdering(from: Running, order: Order): { stop(): Promise<Delivery> } {
    return this.#couriers.begin(from, order);
  }

  /** Makes gRPC calls from inside a pod, over one channel. */
  call(from: Running, order: GrpcOrder): Promise<GrpcDelivery> {
    return this.#couriers.call(from, order);
  }

  /** Talks to a WebSocket server from inside a pod. */
  converse(from: Running, url: string, messages: readonly string[]): Promise<string[]> {
    return this.#couriers.converse(from, url, messages);
  }

  /** Asks a pod through its HBONE port, from inside another pod and with a certificate in a file. */
  async speakHbone({ pod }: Running, words: readonly string[]): Promise<HboneAnswer[]> {
    const file = join(import.meta.dirname, 'traffic/hbone-caller.ts');
    return JSON.parse(await pod.run([process.execPath, file, ...words])) as HboneAnswer[];
  }

  /** Opens connections from inside a pod that ask for much and wait. */
  flood({ pod }: Running, host: string, port: number, connections: number): Child {
    const file = join(import.meta.dirname, 'traffic/flood.ts');
    return pod.start('flood', [process.execPath, file, host, String(port), String(connections)]);
  }

  /** Tells a service's application how to behave from now on. */
  async behave({ control }: Running, behaviour: Partial<Behaviour>): Promise<void> {
    const options = { method: 'POST', body: JSON.stringify(behaviour), type: 'application/json' };
    await mustAsk({ socketPath: control }, '/', options);
  }

  /** What the proxies of both nodes count, together. */
  async samples(): Promise<Sample[]> {
    return (await Promise.all(this.mesh.proxies.map(proxy => proxy.metrics()))).flat();
  }

  async edges(): Promise<Edge[]> {
    const callers = new Map<string, Record<string, TargetCounters>>();
    for (const name of ['mathfanboy', 'percentage'])
      callers.set(name, await readCounters(this.pod(`${name}-1`).counters));
    return edgesOf(callers, this.#mesh === undefined ? undefined : await this.samples());
  }

  close(): Promise<void> {
    return this.#scope.close();
  }
}

function burstCommand(url: string, { count = 1, concurrency = 1, pauseMs = 0 }: BurstOptions): string[] {
  const options = { count, concurrency, 'pause-ms': pauseMs };
  return [...program('burst.ts', url), ...Object.entries(options).map(([key, value]) => `--${key}=${value}`)];
}
