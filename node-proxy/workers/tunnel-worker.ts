/**
 * One tunnel worker: the pods it serves and what it knows, driven by messages of the main thread. Apart from
 * the thread's entry, so that tests can run it in their own thread.
 */

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { EndpointTable } from '../balance/index.ts';
import { closeFd } from '../kernel/index.ts';
import { AccessLog } from '../observe/access-log.ts';
import { EdgeCounters } from '../observe/edge-counters.ts';
import { Resolver } from '../resolve/index.ts';
import { type AccessEntry, Credentials, PodDoors, type Reason, type WorkerContext } from '../tunnel/index.ts';
import type { FromWorker, ToWorker, WorkerReport, WorkerStart } from './messages.ts';
import { PodTable } from './pod-table.ts';
import { describeBindings } from './report.ts';

export const REPORT_EVERY_MS = 1_000;
/** A pod that leaves is listened for at least this long, if it was given that grace. */
const QUIET_MS = 2_000;
const LOOK_MS = 100;

export class TunnelWorker {
  readonly #send: (message: FromWorker) => void;
  readonly #clock: Clock;
  readonly #edges = new EdgeCounters();
  readonly #endpoints: EndpointTable;
  readonly #pods: PodTable;
  readonly #served = new Map<string, PodDoors>();
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
    this.#pods = new PodTable((pod, message) => send({ type: 'problem', about: `pod ${pod}`, message }));
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
      localPods: this.#pods.byIp,
      draining: false,
      whenUnresolved: start.whenUnresolved,
    };
    clock.every(REPORT_EVERY_MS, () => this.#beat());
    send({ type: 'started' });
  }

  /** Never throws: a message that can't be followed is reported, and what held before holds on. */
  handle(message: ToWorker): void {
    try {
      this.#follow(message);
    } catch (error) {
      this.#send({ type: 'problem', about: message.type, message: messageOf(error) });
    }
  }

  #follow(message: ToWorker): void {
    const { credentials, resolver } = this.#context;
    switch (message.type) {
      case 'pods':
        return this.#pods.announce(message.pods, this.#served);
      case 'serve':
        return this.#serve(message.pod, message.fds);
      case 'unserve':
        return this.#unserve(message.pod, message.graceMs);
      case 'credential':
        credentials.set(message.credential);
        return this.#credentialsChanged(message.credential.identity, false);
      case 'forget-credential':
        return credentials.remove(message.identity);
      case 'trust':
        if (credentials.trust(message.trust)) this.#credentialsChanged(undefined, true);
        return;
      case 'binding':
        return resolver.bind(message.address, message.state);
      case 'drain':
        this.#context.draining = true;
        for (const listeners of this.#served.values()) listeners.drain();
        return;
      case 'report':
        this.#flushEdges();
        this.#send({ type: 'report', seq: message.seq, report: this.report(message.details) });
        return;
      case 'close':
        this.close();
        this.#send({ type: 'closed' });
        return;
    }
  }

  get openConnections(): number {
    return this.#pods.openConnections;
  }

  /** Refusals since the start, by reason. */
  refusals(): Partial<Record<Reason, number>> {
    return { ...this.#edges.refusals };
  }

  /** @param details also every binding with its endpoints; thread.ts fills in what only the thread knows. */
  report(details: boolean): WorkerReport {
    return {
      pods: [...this.#served.values()].map(({ pod, tunnels }) => ({
        id: pod.who.id,
        workload: pod.who.workload,
        connections: pod.openConnections,
        tunnels,
      })),
      bindings: details ? describeBindings(this.#context.resolver, this.#clock.monotonic()) : [],
      openConnections: this.openConnections,
      eventLoopDelay: { p50: 0, p99: 0, max: 0 },
      heapBytes: 0,
    };
  }

  /** Ends every connection with a reset, and writes out what is counted and logged. */
  close(): void {
    for (const listeners of this.#served.values()) listeners.destroy('draining');
    this.#pods.close();
    this.#flushEdges();
    this.#accessLog?.close();
  }

  #serve(id: string, fds: { outbound: number; plain: number; hbone: number }): void {
    const pod = this.#pods.get(id);
    try {
      if (pod === undefined) throw new Error(`pod ${id} was not announced before it was to be served`);
      const doors = new PodDoors(pod, this.#context);
      doors.listen(fds);
      this.#served.set(id, doors);
      this.#send({ type: 'serving', pod: id });
    } catch (error) {
      for (const fd of Object.values(fds)) closeFd(fd);
      this.#send({ type: 'serve-failed', pod: id, message: messageOf(error) });
    }
  }

  /**
   * The pod leaves. Its listeners stay for peers that have not heard, until the last connection has ended or the
   * grace is over; nothing is captured any more, so nothing else comes.
   */
  #unserve(id: string, graceMs: number): void {
    const listeners = this.#served.get(id);
    if (listeners === undefined) return this.#send({ type: 'unserved', pod: id });
    const endMs = this.#clock.monotonic() + graceMs;
    const quietMs = this.#clock.monotonic() + Math.min(graceMs, QUIET_MS);
    const look = () => {
      const nowMs = this.#clock.monotonic();
      const idle = listeners.pod.openConnections === 0 && nowMs >= quietMs;
      if (!idle && nowMs < endMs) return void this.#clock.after(LOOK_MS, look);
      listeners.destroy('unenrolled');
      this.#served.delete(id);
      this.#pods.release(id);
      this.#send({ type: 'unserved', pod: id });
    };
    look();
  }

  #credentialsChanged(identity: string | undefined, rootsChanged: boolean): void {
    for (const listeners of this.#served.values()) {
      if (identity !== undefined && listeners.pod.who.identity !== identity) continue;
      listeners.credentialChanged(rootsChanged);
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
