/**
 * A tunnel worker's side of handing connections over. A descriptor crosses as a number in a message on a port between
 * the two threads; the main thread only makes the port when it is first needed, and starts a policy worker that does not
 * run yet.
 *
 *   waiting (no port yet, or the worker died) ──post──► under way ──taken──► the policy worker's
 *      └── too many, too old, pod gone: reset            └── it died: waiting again, for its successor
 *
 * A dying thread closes what it has made a socket of, and nothing else. So the sender remembers which socket
 * each number was: when the policy worker has died, a number that still is that socket is nobody's. If it was not
 * taken, the successor gets it, unread as it is; if it was (and waited for its binding), it is reset.
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
  /** Not taken yet, oldest first; the first of them has the number `first`. */
  posted: Handed[];
  first: number;
  /** Inodes by the numbers that they had last: no more than the process has had open at once. */
  taken: Map<number, number>;
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
      const done = line.posted.splice(0, taken - line.first + 1);
      line.first += done.length;
      for (const { fd, inode } of done) line.taken.set(fd, inode);
    });
    for (const handed of line.waiting.splice(0)) this.#post(line, port, handed);
  }

  /** The policy worker is dead, and has closed what was its own. */
  gone(worker: string): void {
    const line = this.#lines.get(worker);
    if (line === undefined) return;
    line.port?.close();
    line.port = undefined;
    line.waiting.unshift(...line.posted.filter(({ fd, inode }) => isStill(fd, inode)));
    line.posted = [];
    line.first = 1;
    for (const [fd, inode] of line.taken) if (isStill(fd, inode)) resetFd(fd);
    line.taken.clear();
  }

  /** The pod has left: what waits for it is over. */
  drop(pod: string): void {
    for (const line of this.#lines.values())
      this.#refuseWhere(line, 'unenrolled', ({ connection }) => connection.pod === pod);
  }

  /** Gives up on what waits for too long. To be called every second. */
  sweep(): void {
    const nowMs = this.#options.now();
    for (const line of this.#lines.values())
      this.#refuseWhere(line, 'no_policy_worker', ({ sinceMs }) => nowMs - sinceMs >= MAX_WAIT_MS);
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
      line = { port: undefined, waiting: [], posted: [], first: 1, taken: new Map() };
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

function untaken({ waiting, posted }: Line): number {
  return waiting.length + posted.length;
}
