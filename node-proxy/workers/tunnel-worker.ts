/**
 * One tunnel worker: the pods it serves and what it knows, driven by messages of the main thread. Apart from
 * the thread's entry, so that tests can run it in their own thread.
 */

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { EndpointTable } from '../balance/index.ts';
import { AccessLog } from '../observe/access-log.ts';
import { EdgeCounters } from '../observe/edge-counters.ts';
import { Resolver } from '../resolve/index.ts';
import {
  type AccessEntry,
  Authorizer,
  Credentials,
  DENY_ALL,
  LocalPod,
  PodListeners,
  type Reason,
  type WorkerContext,
} from '../tunnel/index.ts';
import type { FromWorker, PodSpec, ToWorker, WorkerReport, WorkerStart } from './messages.ts';
import { describeBindings } from './report.ts';

export const REPORT_EVERY_MS = 1_000;

export class TunnelWorker {
  readonly #send: (message: FromWorker) => void;
  readonly #clock: Clock;
  readonly #edges = new EdgeCounters();
  readonly #endpoints: EndpointTable;
  readonly #byId = new Map<string, LocalPod>();
  readonly #byIp = new Map<string, LocalPod>();
  readonly #served = new Map<string, PodListeners>();
  readonly #accessLog: AccessLog | undefined;
  readonly #context: WorkerContext;

  /** @param observe sees every access log entry, whether it is written or not; for tests. */
  constructor(
    start: WorkerStart,
    send: (message: FromWorker) => void,
    clock: Clock,
    random: () => number,
    observe?: (entry: AccessEntry) => void,
  ) {
    this.#send = send;
    this.#clock = clock;
    this.#endpoints = new EndpointTable(() => clock.monotonic());
    this.#accessLog =
      start.accessLog === 'off' ? undefined : new AccessLog(start.accessLog, start.node, () => clock.now());
    const log = this.#accessLog;
    this.#context = {
      clock,
      random,
      limits: start.limits,
      now: () => clock.monotonic(),
      edges: this.#edges,
      log: observe ?? (log === undefined ? undefined : entry => log.write(entry)),
      credentials: new Credentials(start.trust),
      resolver: new Resolver({
        clock,
        endpoints: this.#endpoints,
        watch: address => send({ type: 'watch', address }),
        unwatch: address => send({ type: 'unwatch', address }),
        timeoutMs: start.limits.resolveTimeoutMs,
        limit: start.limits.bindings,
        idleMs: start.limits.idleBindingMs,
      }),
      localPods: this.#byIp,
      draining: false,
      whenUnresolved: start.whenUnresolved,
    };
    clock.every(REPORT_EVERY_MS, () => this.#beat());
    send({ type: 'started' });
  }

  handle(message: ToWorker): void {
    const { credentials, resolver } = this.#context;
    switch (message.type) {
      case 'pods':
        return this.#setPods(message.pods);
      case 'serve':
        return this.#serve(message.pod, message.fds);
      case 'unserve':
        return this.#unserve(message.pod, message.graceMs);
      case 'credential':
        credentials.set(message.credential);
        return this.#credentialsChanged(message.credential.identity);
      case 'forget-credential':
        return credentials.remove(message.identity);
      case 'trust':
        credentials.trust(message.trust);
        return this.#credentialsChanged(undefined);
      case 'binding':
        return resolver.bind(message.address, message.state);
      case 'drain':
        this.#context.draining = true;
        for (const listeners of this.#served.values()) listeners.drain();
        return;
      case 'report':
        this.#flushEdges();
        this.#send({ type: 'report', seq: message.seq, report: this.report() });
        return;
    }
  }

  get openConnections(): number {
    let open = 0;
    for (const { openConnections } of this.#byId.values()) open += openConnections;
    return open;
  }

  /** Refusals since the start, by reason. */
  refusals(): Partial<Record<Reason, number>> {
    return { ...this.#edges.refusals };
  }

  report(): Omit<WorkerReport, 'eventLoopDelay' | 'heapBytes'> & WorkerReport {
    return {
      pods: [...this.#served.values()].map(({ pod, tunnels }) => ({
        id: pod.who.id,
        workload: pod.who.workload,
        connections: pod.openConnections,
        tunnels,
      })),
      bindings: describeBindings(this.#context.resolver, this.#clock.monotonic()),
      openConnections: this.openConnections,
      eventLoopDelay: { p50: 0, p99: 0, max: 0 },
      heapBytes: 0,
    };
  }

  close(): void {
    for (const listeners of this.#served.values()) listeners.destroy('draining');
    this.#accessLog?.close();
  }

  #setPods(specs: readonly PodSpec[]): void {
    const present = new Set(specs.map(({ who }) => who.id));
    for (const id of this.#byId.keys()) if (!present.has(id) && !this.#served.has(id)) this.#byId.delete(id);
    for (const spec of specs) this.#setPod(spec);
    this.#byIp.clear();
    for (const { who } of specs) {
      const pod = this.#byId.get(who.id);
      if (pod !== undefined) for (const ip of who.ips) this.#byIp.set(ip, pod);
    }
  }

  #setPod(spec: PodSpec): void {
    const known = this.#byId.get(spec.who.id);
    const authorizer = this.#authorizer(spec) ?? known?.authorizer ?? DENY_ALL;
    if (known === undefined) {
      this.#byId.set(spec.who.id, new LocalPod(spec.who, { fd: spec.netnsFd }, authorizer));
      return;
    }
    known.reauthorize(authorizer);
  }

  /** Undefined when the rules are missing or unreadable: what held before holds on. */
  #authorizer({ who, rules }: PodSpec): Authorizer | undefined {
    if (rules === undefined) return undefined;
    try {
      return new Authorizer(rules.policies, rules.transport);
    } catch (error) {
      this.#send({ type: 'policy-unreadable', pod: who.id, message: messageOf(error) });
      return undefined;
    }
  }

  #serve(id: string, fds: { outbound: number; plain: number; hbone: number }): void {
    const pod = this.#byId.get(id);
    try {
      if (pod === undefined) throw new Error(`pod ${id} was not announced before it was to be served`);
      this.#served.set(id, new PodListeners(pod, fds, this.#context));
      this.#send({ type: 'serving', pod: id });
    } catch (error) {
      this.#send({ type: 'serve-failed', pod: id, message: messageOf(error) });
    }
  }

  #unserve(id: string, graceMs: number): void {
    const listeners = this.#served.get(id);
    if (listeners === undefined) return this.#send({ type: 'unserved', pod: id });
    listeners.drain();
    const end = () => {
      listeners.destroy('unenrolled');
      this.#served.delete(id);
      if (!this.#byIpHas(listeners.pod)) this.#byId.delete(id);
      this.#send({ type: 'unserved', pod: id });
    };
    if (graceMs === 0 || listeners.pod.openConnections === 0) end();
    else this.#clock.after(graceMs, end);
  }

  #byIpHas(pod: LocalPod): boolean {
    return pod.who.ips.some(ip => this.#byIp.get(ip) === pod);
  }

  #credentialsChanged(identity: string | undefined): void {
    for (const listeners of this.#served.values()) {
      if (identity === undefined || listeners.pod.who.identity === identity) listeners.credentialChanged();
    }
  }

  #beat(): void {
    this.#flushEdges();
    this.#context.resolver.sweep();
    this.#accessLog?.flush();
  }

  #flushEdges(): void {
    const deltas = this.#edges.take();
    const droppedLogLines = this.#accessLog?.dropped ?? 0;
    if (deltas.length > 0 || droppedLogLines > 0) this.#send({ type: 'edges', deltas, droppedLogLines });
  }
}
