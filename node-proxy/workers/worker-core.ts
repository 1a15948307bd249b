/**
 * What every worker is, whatever its role: the pods of the node and their doors, what it knows, what it counts.
 * Driven by messages of the main thread, apart from the threads' entries, so that tests can run it in their own.
 */

import type { Clock, Timer } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { EndpointTable } from '../balance/index.ts';
import { AccessLog } from '../observe/access-log.ts';
import { EdgeCounters } from '../observe/edge-counters.ts';
import { Resolver, type ResolverOptions } from '../resolve/index.ts';
import type { BindingKind } from '../resolve/node-bindings.ts';
import {
  type AccessEntry,
  Credentials,
  type PodDoors,
  type Reason,
  type WorkerContext,
} from '../tunnel/index.ts';
import type { FromWorker, ToAnyWorker, ToWorker, WorkerReport, WorkerStart } from './messages.ts';
import { PodTable } from './pod-table.ts';
import { describeBindings } from './report.ts';

export const BEAT_MS = 1_000;
const LOOK_MS = 100;

export interface WorkerParts {
  start: WorkerStart;
  send: (message: FromWorker) => void;
  clock: Clock;
  /** 0 ≤ random() < 1 */
  random: () => number;
  /** Sees every line of the access log, whether it is written or not; for tests. */
  observe?: (entry: AccessEntry) => void;
}

/** What a worker does besides, by its role. */
export interface WorkerRoleParts {
  /** A pod that leaves keeps its doors for at least this long, if it was given that grace. */
  quietMs: number;
  /** Called every second. */
  beat(): void;
  /** A pod has left; its doors are closed already. */
  left(pod: string): void;
  /** Connections that are nobody's yet. */
  waiting(): number;
  report(details: boolean): Pick<WorkerReport, 'handedOver' | 'names'>;
  /** Before the logs are closed. */
  close(): void;
}

export class WorkerCore {
  readonly context: WorkerContext;
  readonly pods: PodTable;
  /** Of the pods whose connections come here. */
  readonly doors = new Map<string, PodDoors>();
  readonly #parts: WorkerParts;
  readonly #role: WorkerRoleParts;
  readonly #edges = new EdgeCounters();
  readonly #accessLog: AccessLog | undefined;
  readonly #beats: Timer;

  constructor(parts: WorkerParts, role: WorkerRoleParts) {
    const { start, send, clock, random, observe } = parts;
    this.#parts = parts;
    this.#role = role;
    this.pods = new PodTable({
      onProblem: (pod, message) => send({ type: 'problem', about: `pod ${pod}`, message }),
      onHttpChanged: pod => this.doors.get(pod)?.httpChanged(),
    });
    this.#accessLog =
      start.accessLog === 'off' ? undefined : new AccessLog(start.accessLog, start.node, () => clock.now());
    const log = this.#accessLog;
    const endpoints = new EndpointTable(() => clock.monotonic());
    this.context = {
      clock,
      random,
      limits: start.limits,
      now: () => clock.monotonic(),
      edges: this.#edges,
      log: observe ?? (log === undefined ? undefined : entry => log.write(entry)),
      credentials: new Credentials(start.trust),
      resolver: new Resolver({ ...this.asking('address'), endpoints }),
      localPods: this.pods.byIp,
      draining: false,
      whenUnresolved: start.whenUnresolved,
    };
    this.#beats = clock.every(BEAT_MS, () => this.#beat());
  }

  /** How a cache of bindings asks the main thread. */
  asking(kind: BindingKind): ResolverOptions {
    const { start, send, clock } = this.#parts;
    const { resolveTimeoutMs, bindings, idleBindingMs } = start.limits;
    return {
      clock,
      watch: key => send({ type: 'watch', kind, key }),
      unwatch: key => send({ type: 'unwatch', kind, key }),
      timeoutMs: resolveTimeoutMs,
      limit: bindings,
      idleMs: idleBindingMs,
    };
  }

  /** Never throws: a message that can't be followed is reported, and what held before holds on. */
  guard(message: ToWorker, follow: () => void): void {
    try {
      follow();
    } catch (error) {
      this.#parts.send({ type: 'problem', about: message.type, message: messageOf(error) });
    }
  }

  follow(message: ToAnyWorker): void {
    const { credentials, resolver } = this.context;
    switch (message.type) {
      case 'pods':
        return this.pods.announce(message.pods, this.doors);
      case 'unserve':
        return this.#leave(message.pod, message.graceMs);
      case 'credential':
        credentials.set(message.credential);
        return this.#credentialsChanged(message.credential.identity, false);
      case 'forget-credential':
        return credentials.remove(message.identity);
      case 'trust':
        if (credentials.trust(message.trust)) this.#credentialsChanged(undefined, true);
        return;
      case 'binding':
        if (message.kind === 'address') resolver.bind(message.key, message.state);
        return;
      case 'drain':
        this.context.draining = true;
        for (const doors of this.doors.values()) doors.drain();
        return;
      case 'report':
        this.#flushEdges();
        this.#parts.send({ type: 'report', seq: message.seq, report: this.report(message.details) });
        return;
      case 'close':
        this.close();
        this.#parts.send({ type: 'closed' });
        return;
    }
  }

  /** Refusals since the start, by reason. */
  refusals(): Partial<Record<Reason, number>> {
    return { ...this.#edges.refusals };
  }

  /** @param details also every binding with its endpoints; the thread fills in what only it knows. */
  report(details: boolean): WorkerReport {
    return {
      pods: [...this.doors.values()].map(({ pod, tunnels }) => ({
        id: pod.who.id,
        workload: pod.who.workload,
        connections: pod.openConnections,
        tunnels,
      })),
      bindings: details ? describeBindings(this.context.resolver, this.context.now()) : [],
      openConnections: this.pods.openConnections + this.#role.waiting(),
      ...this.#role.report(details),
      eventLoopDelay: { p50: 0, p99: 0, max: 0 },
      heapBytes: 0,
    };
  }

  /** Ends every connection with a reset, and writes out what is counted and logged. */
  close(): void {
    this.#beats.cancel();
    for (const doors of this.doors.values()) doors.destroy('draining');
    this.#role.close();
    this.pods.close();
    this.#flushEdges();
    this.#accessLog?.close();
  }

  /** Takes the pod's doors away at once. */
  remove(id: string): void {
    this.doors.get(id)?.destroy('unenrolled');
    this.doors.delete(id);
    this.pods.release(id);
    this.#role.left(id);
  }

  /**
   * The pod leaves. Its doors stay for peers that have not heard, until the last connection has ended or the grace
   * is over; nothing is captured any more, so nothing else comes.
   */
  #leave(id: string, graceMs: number): void {
    const { clock, send } = this.#parts;
    const doors = this.doors.get(id);
    if (doors === undefined) return send({ type: 'unserved', pod: id });
    const endMs = clock.monotonic() + graceMs;
    const quietMs = clock.monotonic() + Math.min(graceMs, this.#role.quietMs);
    const look = () => {
      const nowMs = clock.monotonic();
      const idle = doors.pod.openConnections === 0 && nowMs >= quietMs;
      if (!idle && nowMs < endMs) return void clock.after(LOOK_MS, look);
      this.remove(id);
      send({ type: 'unserved', pod: id });
    };
    look();
  }

  #credentialsChanged(identity: string | undefined, rootsChanged: boolean): void {
    for (const doors of this.doors.values()) {
      if (identity !== undefined && doors.pod.who.identity !== identity) continue;
      doors.credentialChanged(rootsChanged);
    }
  }

  #beat(): void {
    this.#flushEdges();
    this.context.resolver.sweep();
    this.#role.beat();
    this.#accessLog?.flush();
  }

  #flushEdges(): void {
    const deltas = this.#edges.take();
    const droppedLogLines = this.#accessLog?.dropped ?? 0;
    if (deltas.length > 0 || droppedLogLines > 0)
      this.#parts.send({ type: 'edges', deltas, droppedLogLines });
  }
}
