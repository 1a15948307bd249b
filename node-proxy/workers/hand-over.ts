/**
 * A tunnel worker's side of handing connections over. A descriptor crosses as a number in a message on a port between
 * the two threads; the main thread only starts the policy worker and makes the port, when it is first needed.
 *
 *   waiting (no port yet, or the worker died) ──post──► under way ──taken──► young ──KEPT_MS──► forgotten
 *      └── too many, too old, pod gone: reset and counted
 *
 * A number belongs to the policy worker once it made a socket of it, which a dying thread closes. Until then
 * nobody would: so the sender remembers for a while which socket each number was, and takes back what still is
 * that socket when the policy worker has died. Such a connection was not read from; the successor gets it.
 */

import type { MessagePort } from 'node:worker_threads';
import { inodeOf, isStill, resetFd } from '../kernel/index.ts';
import type { HandedConnection, LocalPod, Reason } from '../tunnel/index.ts';
import { type PolicyWorkers, policyWorkerOf } from './policy-workers.ts';

/** From a tunnel worker to a policy worker. */
export interface Handing {
  seq: number;
  fd: number;
  connection: HandedConnection;
}

/** The answer: this one and all before it were taken. */
export interface Taken {
  taken: number;
}

/** Connections to one policy worker that wait, or are under way, at the most. */
const MAX_UNTAKEN = 4_096;
/** A policy worker starts in a tenth of this. */
const MAX_WAIT_MS = 5_000;
/** Longer than a connection waits for its binding, which may be before its socket is made. */
const KEPT_MS = 8_000;
/** At very high rates the oldest are forgotten early. */
const MAX_KEPT = 20_000;

export interface HandOverOptions {
  policyWorkers: PolicyWorkers;
  podOf: (id: string) => LocalPod | undefined;
  /** Asks the main thread for a port to a policy worker. */
  need: (worker: string) => void;
  /** Counts a connection that was reset instead. */
  refused: (connection: HandedConnection, pod: LocalPod | undefined, reason: Reason) => void;
  /** Monotonic milliseconds. */
  now: () => number;
}

interface Handed {
  fd: number;
  /** Of the socket, while it was ours for sure. */
  inode: number;
  connection: HandedConnection;
  sinceMs: number;
}

interface Line {
  port: MessagePort | undefined;
  waiting: Handed[];
  /** Posted, oldest first; the first of them has the number `first`. */
  posted: Handed[];
  first: number;
  taken: number;
}

export class HandOvers {
  total = 0;
  readonly #options: HandOverOptions;
  readonly #lines = new Map<string, Line>();

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Connections that no policy worker has taken yet. */
  get waiting(): number {
    let waiting = 0;
    for (const line of this.#lines.values()) waiting += untaken(line);
    return waiting;
  }

  /** Hands a connection over. The descriptor is this object's; never throws. */
  readonly hand = (fd: number, connection: HandedConnection): void => {
    const pod = this.#options.podOf(connection.pod);
    if (pod === undefined) return this.#refuse({ fd, connection }, 'unenrolled');
    const line = this.#lineTo(policyWorkerOf(pod.who, this.#options.policyWorkers));
    if (untaken(line) >= MAX_UNTAKEN) return this.#refuse({ fd, connection }, 'no_policy_worker');
    const handed = { fd, inode: inodeOf(fd), connection, sinceMs: this.#options.now() };
    if (line.port === undefined) line.waiting.push(handed);
    else this.#post(line, line.port, handed);
  };

  /** Has the pod's policy worker started before the first connection needs it. */
  prepare(pod: LocalPod): void {
    this.#lineTo(policyWorkerOf(pod.who, this.#options.policyWorkers));
  }

  /** The policy worker, or its successor, takes connections from now on. */
  attach(worker: string, port: MessagePort): void {
    const line = this.#lineTo(worker);
    line.port?.close();
    line.port = port;
    port.on('message', ({ taken }: Taken) => {
      line.taken = taken;
    });
    for (const handed of line.waiting.splice(0)) this.#post(line, port, handed);
  }

  /** The policy worker is dead, and has closed what was its own. */
  gone(worker: string): void {
    const line = this.#lines.get(worker);
    if (line === undefined) return;
    line.port?.close();
    line.port = undefined;
    const back = line.posted.filter(({ fd, inode }) => isStill(fd, inode));
    line.first += line.posted.length;
    line.posted = [];
    line.taken = line.first - 1;
    line.waiting.unshift(...back);
  }

  /** The pod has left: what waits for it is over. */
  drop(pod: string): void {
    for (const line of this.#lines.values())
      this.#refuseWhere(line, 'unenrolled', ({ connection }) => connection.pod === pod);
  }

  /** Gives up on what waits for too long. To be called every second. */
  sweep(): void {
    const nowMs = this.#options.now();
    for (const line of this.#lines.values()) {
      this.#refuseWhere(line, 'no_policy_worker', ({ sinceMs }) => nowMs - sinceMs >= MAX_WAIT_MS);
      forget(line, nowMs);
    }
  }

  /** Ends what waits. */
  close(): void {
    for (const line of this.#lines.values()) {
      this.#refuseWhere(line, 'draining', () => true);
      line.port?.close();
      line.port = undefined;
    }
  }

  #lineTo(worker: string): Line {
    let line = this.#lines.get(worker);
    if (line === undefined) {
      line = { port: undefined, waiting: [], posted: [], first: 1, taken: 0 };
      this.#lines.set(worker, line);
      this.#options.need(worker);
    }
    return line;
  }

  #post(line: Line, port: MessagePort, handed: Handed): void {
    const seq = line.first + line.posted.length;
    line.posted.push(handed);
    this.total += 1;
    const message: Handing = { seq, fd: handed.fd, connection: handed.connection };
    port.postMessage(message);
  }

  #refuseWhere(line: Line, reason: Reason, wanted: (handed: Handed) => boolean): void {
    if (line.waiting.length === 0) return;
    const over = line.waiting.filter(wanted);
    if (over.length === 0) return;
    line.waiting = line.waiting.filter(handed => !wanted(handed));
    for (const handed of over) this.#refuse(handed, reason);
  }

  #refuse({ fd, connection }: Pick<Handed, 'fd' | 'connection'>, reason: Reason): void {
    resetFd(fd);
    this.#options.refused(connection, this.#options.podOf(connection.pod), reason);
  }
}

function untaken({ waiting, posted, first, taken }: Line): number {
  return waiting.length + first + posted.length - 1 - taken;
}

/** What was taken long ago has a socket by now, or is closed. */
function forget(line: Line, nowMs: number): void {
  const { posted, first, taken } = line;
  let old = Math.max(posted.length - MAX_KEPT, 0);
  while (old < posted.length && nowMs - (posted[old] as Handed).sinceMs > KEPT_MS) old += 1;
  old = Math.min(old, taken - first + 1);
  if (old <= 0) return;
  line.posted = posted.slice(old);
  line.first += old;
}
