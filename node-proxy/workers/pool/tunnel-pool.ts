/**
 * Which tunnel worker serves which pod. The main thread keeps a descriptor of every listening socket, so that
 * connections wait in the kernel's queue while a worker is replaced, instead of being refused.
 */

import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { closeFd, dupFd, inodeOf, isStill } from '../../kernel/index.ts';
import type { PodFds } from '../messages.ts';
import type { WorkerThread, WorkerWord } from './worker-thread.ts';

interface Served {
  worker: WorkerThread;
  fds: PodFds;
  /** Copies on their way to the worker, until it says that they are its own. */
  handed: { fd: number; inode: number }[];
  waiting: { resolve: () => void; reject: (error: MeshError) => void } | undefined;
  unserved: (() => void) | undefined;
}

const NONE: PodFds = { outbound: -1, plain: -1, hbone: -1 };

export class TunnelPool {
  readonly workers: readonly WorkerThread[];
  readonly #announce: (worker: WorkerThread) => void;
  readonly #log: Logger;
  readonly #served = new Map<string, Served>();

  /** @param announce tells a worker which pods there are: before it is to serve one of them. */
  constructor(workers: readonly WorkerThread[], announce: (worker: WorkerThread) => void, log: Logger) {
    this.workers = workers;
    this.#announce = announce;
    this.#log = log;
  }

  /** Gives the pod to the worker with the fewest; resolves when it listens. The descriptors become the pool's. */
  serve(pod: string, fds: PodFds): Promise<void> {
    const worker = this.#leastLoaded();
    return new Promise((resolve, reject) => {
      const served: Served = {
        worker,
        fds,
        handed: [],
        waiting: { resolve, reject },
        unserved: undefined,
      };
      this.#served.set(pod, served);
      // A dead worker's successor is handed everything when it starts.
      if (worker.alive) this.#hand(pod, served);
    });
  }

  /** Resolves when the last connection of the pod has ended, or was ended after `graceMs`. */
  unserve(pod: string, graceMs: number): Promise<void> {
    const served = this.#served.get(pod);
    if (served === undefined) return Promise.resolve();
    return new Promise(resolve => {
      served.unserved = () => {
        this.#served.delete(pod);
        resolve();
      };
      // Our own copy keeps the socket listening: close it first.
      closeFds(served.fds);
      served.fds = NONE;
      served.worker.post({ type: 'unserve', pod, graceMs });
    });
  }

  /** Stops listening everywhere; open connections go on. */
  drain(): void {
    for (const { fds } of this.#served.values()) closeFds(fds);
  }

  receive(message: Extract<WorkerWord, { type: 'serving' | 'serve-failed' | 'unserved' }>): void {
    const served = this.#served.get(message.pod);
    if (served === undefined) return;
    if (message.type === 'unserved') return served.unserved?.();
    const { waiting } = served;
    served.handed = [];
    served.waiting = undefined;
    if (message.type === 'serving') return waiting?.resolve();
    if (waiting === undefined) {
      const { pod, message: problem } = message;
      return this.#log.error({ pod, problem }, 'the pod of a dead worker is not served again');
    }
    this.#served.delete(message.pod);
    closeFds(served.fds);
    waiting.reject(new MeshError('NM_SERVE_FAILED', message.message, { by: 'mesh' }));
  }

  /**
   * Closes the copies that a dead worker never took: they would keep a socket listening that nobody serves. What it
   * took it has closed, and the number may be somebody else's by now, so only a number that still is the same
   * socket is closed.
   */
  died(worker: WorkerThread): void {
    for (const served of this.#served.values()) {
      if (served.worker !== worker) continue;
      for (const { fd, inode } of served.handed.splice(0)) if (isStill(fd, inode)) closeFd(fd);
    }
  }

  /** A dead worker took its connections with it, but not its pods: they are listened for again. */
  replaced(worker: WorkerThread): void {
    for (const [pod, served] of this.#served) {
      if (served.worker !== worker) continue;
      if (served.unserved !== undefined) served.unserved();
      else this.#hand(pod, served);
    }
  }

  #hand(pod: string, served: Served): void {
    const { outbound, plain, hbone } = served.fds;
    const fds: PodFds = { outbound: dupFd(outbound), plain: dupFd(plain), hbone: dupFd(hbone) };
    served.handed = Object.values(fds).map(fd => ({ fd, inode: inodeOf(fd) }));
    this.#announce(served.worker);
    served.worker.post({ type: 'serve', pod, fds });
  }

  #leastLoaded(): WorkerThread {
    const load = this.workers.map(() => 0);
    for (const { worker } of this.#served.values()) {
      const i = this.workers.indexOf(worker);
      load[i] = (load[i] ?? 0) + 1;
    }
    return this.workers[load.indexOf(Math.min(...load))] as WorkerThread;
  }
}

function closeFds(fds: PodFds): void {
  for (const fd of [fds.outbound, fds.plain, fds.hbone]) if (fd >= 0) closeFd(fd);
}
