/**
 * Two nodes of a mesh without namerd: real namespaces, capture, listeners, TLS and tunnels; bindings, policies and
 * certificates are handed in by the test.
 *
 *   node n1: pod a          node n2: pods b, c          outside: pod x, not in the mesh
 */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { AddressState, Policy, Replica, Transport } from '#api';
import { type Clock, systemClock } from '#base/clock.ts';
import { Capture, captureRules } from '#capture';
import { openPodSockets } from '../../../node-proxy/pods/pod-sockets.ts';
import { type AccessEntry, DEFAULT_LIMITS, type TunnelLimits } from '../../../node-proxy/tunnel/index.ts';
import type { FromWorker, PodSpec, WorkerStart } from '../../../node-proxy/workers/messages.ts';
import { TunnelWorker } from '../../../node-proxy/workers/tunnel-worker.ts';
import { type Authority, leaf, rootAuthority } from '../../lib/authority.ts';
import { NetnsLab, type TestNetns } from '../../lib/netns.ts';

export const TRUST_DOMAIN = 'mesh.test';
export const PERMISSIVE: Transport = { mode: 'permissive', ports: {} };
const HOUR = 3_600_000;

export interface RigPod {
  name: string;
  ns: TestNetns;
  ip: string;
  ip6: string;
  identity: string;
  node: RigNode | undefined;
  rules: { policies: Policy[]; transport: Transport };
}

/** One worker, as the main thread would drive it. */
export class RigNode {
  readonly name: string;
  readonly worker: TunnelWorker;
  readonly sent: FromWorker[] = [];
  readonly log: AccessEntry[] = [];
  readonly #pods: RigPod[] = [];
  readonly #bindings: Map<string, AddressState>;

  constructor(name: string, start: WorkerStart, bindings: Map<string, AddressState>, clock: Clock) {
    this.name = name;
    this.#bindings = bindings;
    this.worker = new TunnelWorker({
      start,
      send: message => this.#receive(message),
      clock,
      random: Math.random,
      observe: entry => this.log.push(entry),
    });
  }

  get refusals(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { reason } of this.log) if (reason !== undefined) counts[reason] = (counts[reason] ?? 0) + 1;
    return counts;
  }

  async serve(pod: RigPod): Promise<void> {
    pod.node = this;
    this.#pods.push(pod);
    this.announce();
    this.worker.handle({ type: 'serve', pod: pod.ns.handle.id, fds: openPodSockets(pod.ns.handle) });
  }

  announce(): void {
    this.worker.handle({ type: 'pods', pods: this.#pods.map(specOf) });
  }

  bind(address: string, state: AddressState): void {
    this.worker.handle({ type: 'binding', kind: 'address', key: address, state });
  }

  #receive(message: FromWorker): void {
    this.sent.push(message);
    if (message.type !== 'watch') return;
    const state = this.#bindings.get(message.key) ?? { target: 'foreign' };
    queueMicrotask(() => this.bind(message.key, state));
  }
}

export class TunnelRig {
  readonly lab: NetnsLab;
  readonly authority: Authority;
  readonly bindings = new Map<string, AddressState>();
  readonly a: RigPod;
  readonly b: RigPod;
  readonly c: RigPod;
  readonly x: RigPod;
  readonly n1: RigNode;
  readonly n2: RigNode;

  private constructor(
    lab: NetnsLab,
    authority: Authority,
    pods: RigPod[],
    limits: TunnelLimits,
    clock: Clock,
  ) {
    this.lab = lab;
    this.authority = authority;
    [this.a, this.b, this.c, this.x] = pods as [RigPod, RigPod, RigPod, RigPod];
    const start = (node: string): WorkerStart => ({
      worker: `${node}-tunnel`,
      node,
      limits,
      whenUnresolved: 'refuse',
      accessLog: 'off',
      trust: { trustDomain: TRUST_DOMAIN, roots: [authority.certPem] },
      policyWorkers: { shared: 1, isolated: [] },
    });
    this.n1 = new RigNode('n1', start('n1'), this.bindings, clock);
    this.n2 = new RigNode('n2', start('n2'), this.bindings, clock);
  }

  static async open(limits: Partial<TunnelLimits> = {}, clock: Clock = systemClock): Promise<TunnelRig> {
    const lab = await NetnsLab.open();
    const now = Date.now();
    const authority = await rootAuthority({ from: now - HOUR, to: now + 1000 * HOUR });
    const wire = await lab.namespace('wire');
    await lab.bridge(wire, 'br0', ['10.5.0.1/24', 'fd05::1/64']);
    const pods: RigPod[] = [];
    for (const [i, name] of ['a', 'b', 'c', 'x'].entries()) {
      const ns = await lab.namespace(name);
      const [ip, ip6] = [`10.5.0.${i + 2}`, `fd05::${i + 2}`];
      await lab.attach(ns, wire, 'br0', [`${ip}/24`, `${ip6}/64`]);
      const identity = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${name}`;
      pods.push({
        name,
        ns,
        ip,
        ip6,
        identity,
        node: undefined,
        rules: { policies: [], transport: PERMISSIVE },
      });
    }
    const rig = new TunnelRig(lab, authority, pods, { ...DEFAULT_LIMITS, ...limits }, clock);
    await rig.#enrol(rig.n1, rig.a);
    await rig.#enrol(rig.n2, rig.b);
    await rig.#enrol(rig.n2, rig.c);
    return rig;
  }

  /** A new certificate for a pod's identity, in force at once. */
  async certify(pod: RigPod, from = Date.now() - HOUR, to = Date.now() + 24 * HOUR): Promise<void> {
    const { key, certPem } = await leaf(this.authority, { uri: pod.identity, from, to });
    pod.node?.worker.handle({
      type: 'credential',
      credential: { identity: pod.identity, keyPem: key.privateKeyPem, chainPem: certPem, notAfter: to },
    });
  }

  replica(pod: RigPod, port: number, more: Partial<Replica> = {}): Replica {
    return {
      address: `${pod.ip}:${port}`,
      workload: `shop/${pod.name}`,
      node: pod.node?.name ?? '',
      identity: pod.identity,
      hbone: pod.node !== undefined,
      zone: '',
      weight: 1,
      terminating: false,
      ...more,
    };
  }

  /** Makes an address lead to a pod itself. */
  knowWorkload(pod: RigPod, port: number, more: Partial<Replica> = {}): void {
    const replica = this.replica(pod, port, more);
    this.bindings.set(replica.address, { target: 'workload', replica });
  }

  /** Makes a virtual address lead to replicas. */
  knowService(address: string, ...replicas: Replica[]): void {
    this.bindings.set(address, {
      target: 'service',
      namespace: 'shop',
      service: 'web',
      port: 'http',
      name: '/svc/shop/web/http',
      appProtocol: '',
      bound: {
        state: 'bound',
        tree: {
          type: 'leaf',
          id: '/#/registry/shop/web/http',
          residual: '/',
          replicas: { state: 'bound', replicas },
        },
      },
    });
  }

  /** Replaces a pod's policies everywhere, as a new snapshot of namerd would. */
  setRules(pod: RigPod, policies: Policy[], transport: Transport = PERMISSIVE): void {
    pod.rules = { policies, transport };
    pod.node?.announce();
  }

  async close(): Promise<void> {
    this.n1.worker.close();
    this.n2.worker.close();
    await this.lab.close();
  }

  async #enrol(node: RigNode, pod: RigPod): Promise<void> {
    pod.node = node;
    await this.certify(pod);
    await node.serve(pod);
    const capture = await Capture.detect();
    await capture.apply(pod.ns.path, captureRules({}));
  }
}

function specOf(pod: RigPod): PodSpec {
  return {
    who: {
      id: pod.ns.handle.id,
      workload: `shop/${pod.name}`,
      namespace: 'shop',
      name: pod.name,
      identity: pod.identity,
      ips: [pod.ip, pod.ip6],
    },
    netnsFd: pod.ns.handle.fd,
    rules: pod.rules,
  };
}

/** An application that answers each chunk with its name, the caller's address, and the chunk. */
export function echo(name: string): (socket: Socket) => void {
  return socket => {
    socket.on('data', chunk =>
      socket.write(`${name} ${socket.remoteAddress?.replace('::ffff:', '')} ${chunk}`),
    );
    socket.on('end', () => socket.end());
  };
}

/** Sends a text and returns the first answer; rejects when the connection ends without one. */
export async function ask(socket: Socket, text: string): Promise<string> {
  const answer = Promise.race([
    once(socket, 'data').then(([chunk]) => String(chunk)),
    once(socket, 'close').then(() => Promise.reject(new Error('closed without an answer'))),
  ]);
  socket.write(text);
  return answer;
}

/** Resolves when the far end has ended or reset the connection. */
export function ended(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise(resolve => {
    socket.once('close', () => resolve());
    socket.once('end', () => socket.destroy());
    socket.resume();
  });
}

/** Connects and asks; resolves with the answer, or with `refused` when the connection is cut before one. */
export async function tryAsk(from: RigPod, ip: string, port: number, text = 'hello'): Promise<string> {
  try {
    const socket = await from.ns.connect(ip, port);
    try {
      return await ask(socket, text);
    } finally {
      socket.destroy();
    }
  } catch {
    return 'refused';
  }
}

/** Resolves when `check` holds; asks again at every turn of the event loop. Rejects after 5 s with what it last threw. */
export async function eventually(check: () => void): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
