/** A node's workers in real namespaces without the rest of the proxy: bindings and certificates come from the test. */

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { AddressState, NameState, Replica, ServiceHttp, WorkloadHttp } from '#api';
import { DEFAULT_SERVICE_SETTINGS } from '#api';
import { systemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { Capture, captureRules } from '#capture';
import { openPodSockets } from '../../../node-proxy/pods/pod-sockets.ts';
import { DEFAULT_LIMITS } from '../../../node-proxy/tunnel/index.ts';
import type { PodSpec, WorkerReport } from '../../../node-proxy/workers/messages.ts';
import { Workers } from '../../../node-proxy/workers/pool/workers.ts';
import { type Authority, HOUR, leaf } from '../../lib/authority.ts';
import type { TestNetns } from '../../lib/netns.ts';
import { ask } from '../tunnel/rig.ts';

export const PORT = 8080;
const TRUST_DOMAIN = 'mesh.test';
/** Little, so that one message can be too much. */
const HEAP_MB = 32;
const TOO_MUCH = 4_500_000;
const AGAIN_MS = 4_000;

export interface Pod {
  name: string;
  namespace: string;
  ns: TestNetns;
  ip: string;
  http?: WorkloadHttp;
}

export interface NodeOptions {
  tunnelWorkers: number;
  authority: Authority;
  isolated?: string[];
  /** What policy workers run. */
  policyEntry?: URL;
  hungAfterMs?: number;
}

export class Node {
  readonly pool: Workers;
  /** Names of workers that died, in order. */
  readonly resets: string[] = [];
  readonly bindings = new Map<string, AddressState>();
  readonly names = new Map<string, NameState>();
  readonly #authority: Authority;
  #pods: Pod[] = [];

  constructor({ tunnelWorkers, authority, isolated = [], policyEntry, hungAfterMs }: NodeOptions) {
    this.#authority = authority;
    this.pool = new Workers({
      tunnelWorkers,
      start: {
        node: 'n',
        limits: DEFAULT_LIMITS,
        whenUnresolved: 'refuse',
        accessLog: 'off',
        trust: { trustDomain: TRUST_DOMAIN, roots: [authority.certPem] },
        policyWorkers: { shared: 1, isolated },
      },
      heapMb: { tunnel: HEAP_MB, policy: HEAP_MB },
      clock: systemClock,
      log: silentLog,
      onEdges: () => {},
      onRequests: () => {},
      onWatch: (worker, kind, key) =>
        this.pool.bind(
          worker,
          kind === 'address'
            ? { kind, key, state: this.bindings.get(key) ?? { target: 'foreign' } }
            : { kind, key, state: this.names.get(key) ?? { state: 'failed', message: 'unknown' } },
        ),
      onUnwatch: () => {},
      onReset: worker => this.resets.push(worker),
      ...(policyEntry && { policyEntry }),
      ...(hungAfterMs && { hungAfterMs }),
    });
  }

  async enrol(pod: Pod): Promise<void> {
    const identity = identityOf(pod);
    const { key, certPem } = await leaf(this.#authority, {
      uri: identity,
      from: Date.now() - HOUR,
      to: Date.now() + HOUR,
    });
    this.#pods.push(pod);
    this.announce();
    this.pool.setCredential({
      identity,
      keyPem: key.privateKeyPem,
      chainPem: certPem,
      notAfter: Date.now() + HOUR,
    });
    await this.pool.serve(pod.ns.handle.id, openPodSockets(pod.ns.handle));
    const capture = await Capture.detect();
    await capture.apply(pod.ns.path, captureRules({}));
  }

  announce(): void {
    this.pool.setPods(this.#pods.map(specOf));
  }

  /** As a pod that leaves the mesh: its connections may go on for the grace. */
  async dismiss(pod: Pod, graceMs: number): Promise<void> {
    const capture = await Capture.detect();
    await capture.remove(pod.ns.path);
    await this.pool.unserve(pod.ns.handle.id, graceMs);
    this.#pods = this.#pods.filter(other => other !== pod);
    this.announce();
  }

  /** Sends a worker more than its heap takes. Resolves when it is dead. */
  async kill(worker: string): Promise<void> {
    const deaths = this.resets.length;
    const state = new Array(TOO_MUCH).fill(0.5) as unknown as AddressState;
    const send = () => this.pool.bind(worker, { kind: 'address', key: 'nobody', state });
    send();
    // One that has just been replaced may not have heard it.
    const again = setInterval(send, AGAIN_MS);
    while (this.resets.length === deaths) await new Promise(resolve => setTimeout(resolve, 5));
    clearInterval(again);
  }

  async restarts(): Promise<number[]> {
    return (await this.pool.reports(1_000)).map(({ restarts }) => restarts);
  }

  /** What each worker says of itself, by name. */
  async reports(): Promise<Record<string, WorkerReport | undefined>> {
    const reports = await this.pool.reports(1_000, true);
    return Object.fromEntries(reports.map(({ name, report }) => [name, report]));
  }

  /** A service at `vip:80` that asks for HTTP, and leads to one place. */
  httpService(name: string, vip: string, to: Replica): void {
    const http: ServiceHttp = { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS };
    this.bindings.set(`${vip}:80`, {
      target: 'service',
      namespace: 'shop',
      service: name,
      port: 'http',
      name: `/svc/shop/${name}/http`,
      appProtocol: '',
      bound: {
        state: 'bound',
        tree: { type: 'leaf', id: `/#/${name}`, residual: '/', replicas: { state: 'bound', replicas: [to] } },
      },
      http,
    });
  }
}

export function identityOf({ name, namespace }: Pod): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${name}`;
}

/** The answer to one question on a connection of its own, or what went wrong. */
export async function freshAnswer(from: Pod, to: { name: string; ip: string }, port = PORT): Promise<string> {
  let socket: Socket | undefined;
  try {
    socket = await from.ns.connect(to.ip, port);
    return await ask(socket, 'new');
  } catch (error) {
    return `${from.name} → ${to.name}: ${String(error)}`;
  } finally {
    if (socket !== undefined) {
      socket.destroy();
      await once(socket, 'close').catch(() => {});
    }
  }
}

function specOf(pod: Pod): PodSpec {
  const { name, namespace, ns, ip, http } = pod;
  return {
    who: {
      id: ns.handle.id,
      workload: `${namespace}/${name}`,
      namespace,
      name,
      identity: identityOf(pod),
      ips: [ip],
    },
    netnsFd: ns.handle.fd,
    rules: { policies: [], transport: { mode: 'permissive', ports: {} } },
    ...(http === undefined ? {} : { http }),
  };
}

/** Open descriptors of this process, once connections that have just ended are closed: the number stands still. */
export async function descriptors(): Promise<number> {
  let before = -1;
  for (let same = 0; same < 10; ) {
    const count = readdirSync('/proc/self/fd').length;
    same = count === before ? same + 1 : 0;
    before = count;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return before;
}
