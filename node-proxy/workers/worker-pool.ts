/**
 * The tunnel workers: started, told everything, replaced when they die. The main thread keeps a descriptor of
 * every listening socket, so that connections wait in the kernel's queue while a worker is replaced, instead
 * of being refused.
 */

import { fstatSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { AddressState, TrustState } from '#api';
import { Backoff } from '#base/backoff.ts';
import type { Clock } from '#base/clock.ts';
import { InvariantError, MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { closeFd, dupFd } from '../kernel/index.ts';
import type { EdgeDelta } from '../observe/edge-counters.ts';
import type { Credential } from '../tunnel/index.ts';
import type { FromWorker, PodSpec, ToWorker, WorkerReport, WorkerStart } from './messages.ts';

export interface WorkerPoolOptions {
  count: number;
  start: WorkerStart;
  /** Megabytes of heap per worker; beyond it the worker is replaced. */
  heapMb: number;
  clock: Clock;
  log: Logger;
  /** @param droppedLogLines since the worker started. */
  onEdges: (worker: number, deltas: EdgeDelta[], droppedLogLines: number) => void;
  onWatch: (worker: number, address: string) => void;
  onUnwatch: (worker: number, address: string) => void;
  /** The worker died and forgot everything that it watched. */
  onReset: (worker: number) => void;
}

export interface PodFds {
  outbound: number;
  plain: number;
  hbone: number;
}

/** A worker that lived this long died of something else than its start. */
const STABLE_MS = 10_000;

/** Time for a worker to end its connections and write its logs out. */
const CLOSE_WITHIN_MS = 2_000;

interface Slot {
  index: number;
  worker: Worker;
  /** Resolved when the thread has started. */
  started: Promise<void>;
  /** Times it died, for the metric and the log. */
  restarts: number;
  reports: Map<number, (report: WorkerReport | undefined) => void>;
  alive: boolean;
  /** Resolved when it has ended its connections, or died. */
  closed: PromiseWithResolvers<void>;
  /** Monotonic time of its start. */
  sinceMs: number;
}

interface Served {
  slot: number;
  fds: PodFds;
  /** Copies on their way to the worker, until it says that they are its own. */
  handed: PodFds | undefined;
  waiting: { resolve: () => void; reject: (error: MeshError) => void } | undefined;
  unserved: (() => void) | undefined;
}

export class WorkerDied extends MeshError {
  constructor(index: number, cause?: unknown) {
    super('NM_WORKER_DIED', `tunnel worker ${index} died`, {
      by: 'mesh',
      next: 'It is replaced; see the log for why it died.',
      cause,
    });
  }
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot[] = [];
  readonly #served = new Map<string, Served>();
  readonly #credentials = new Map<string, Credential>();
  #pods: readonly PodSpec[] = [];
  #trust: TrustState;
  readonly #backoff = new Backoff({ minMs: 20, maxMs: 5_000 });
  #seq = 0;
  #closing = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#trust = options.start.trust;
    for (let index = 0; index < options.count; index++) this.#slots.push(this.#spawn(index, 0));
  }

  get restarts(): number[] {
    return this.#slots.map(({ restarts }) => restarts);
  }

  async started(): Promise<void> {
    await Promise.all(this.#slots.map(({ started }) => started));
  }

  setPods(pods: readonly PodSpec[]): void {
    this.#pods = pods;
    this.#tellAll({ type: 'pods', pods });
  }

  /** Gives the pod to the worker with the fewest; resolves when it listens. The descriptors become the pool's. */
  serve(pod: string, fds: PodFds): Promise<void> {
    const slot = this.#leastLoaded();
    return new Promise((resolve, reject) => {
      const served: Served = {
        slot: slot.index,
        fds,
        handed: undefined,
        waiting: { resolve, reject },
        unserved: undefined,
      };
      this.#served.set(pod, served);
      // A dead worker's successor is handed everything when it starts.
      if (slot.alive) this.#hand(slot, pod, served);
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
      served.fds = { outbound: -1, plain: -1, hbone: -1 };
      this.#tell(served.slot, { type: 'unserve', pod, graceMs });
    });
  }

  setCredential(credential: Credential): void {
    this.#credentials.set(credential.identity, credential);
    this.#tellAll({ type: 'credential', credential });
  }

  forgetCredential(identity: string): void {
    this.#credentials.delete(identity);
    this.#tellAll({ type: 'forget-credential', identity });
  }

  setTrust(trust: TrustState): void {
    this.#trust = trust;
    this.#tellAll({ type: 'trust', trust });
  }

  bind(worker: number, address: string, state: AddressState): void {
    this.#tell(worker, { type: 'binding', address, state });
  }

  /** What each worker says of itself; undefined for one that does not answer in time. */
  reports(timeoutMs: number, details = false): Promise<(WorkerReport | undefined)[]> {
    return Promise.all(this.#slots.map(slot => this.#report(slot, timeoutMs, details)));
  }

  /** Stops listening everywhere; open connections go on. */
  drain(): void {
    this.#closing = true;
    for (const { fds } of this.#served.values()) closeFds(fds);
    this.#tellAll({ type: 'drain' });
  }

  /** Ends every connection with a reset, then the threads: a thread that is just ended would look like a clean end. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      this.#slots.map(async slot => {
        if (slot.alive) {
          const late = Promise.withResolvers<void>();
          const timer = this.#options.clock.after(CLOSE_WITHIN_MS, () => late.resolve());
          this.#post(slot, { type: 'close' });
          await Promise.race([slot.closed.promise, late.promise]);
          timer.cancel();
        }
        await slot.worker.terminate();
      }),
    );
  }

  #spawn(index: number, restarts: number): Slot {
    const { start, heapMb, log } = this.#options;
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      name: `tunnel-${index}`,
      workerData: { ...start, trust: this.#trust },
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    const started = Promise.withResolvers<void>();
    // Nobody may be waiting when a replacement dies young.
    started.promise.catch(() => {});
    const slot: Slot = {
      index,
      worker,
      started: started.promise,
      restarts,
      reports: new Map(),
      alive: true,
      closed: Promise.withResolvers(),
      sinceMs: this.#options.clock.monotonic(),
    };
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'started') started.resolve();
      else this.#receive(slot, message);
    });
    worker.on('error', error => log.error({ err: error, worker: index }, 'tunnel worker failed'));
    worker.on('exit', code => {
      slot.alive = false;
      slot.closed.resolve();
      started.reject(new WorkerDied(index, `exit code ${code}`));
      for (const settle of slot.reports.values()) settle(undefined);
      this.#reclaim(index);
      if (!this.#closing) this.#died(slot, code);
    });
    return slot;
  }

  /** A dead worker took its connections with it, but not its pods: they are listened for again. */
  #died(dead: Slot, code: number): void {
    const { log, clock, onReset } = this.#options;
    log.error(
      { worker: dead.index, code, restarts: dead.restarts + 1 },
      'tunnel worker died and is replaced',
    );
    onReset(dead.index);
    // One that dies as soon as it starts must not spin; one that lived for a while is replaced at once.
    if (clock.monotonic() - dead.sinceMs > STABLE_MS) this.#backoff.reset();
    clock.after(this.#backoff.nextMs(), () => {
      if (!this.#closing) this.#replace(dead);
    });
  }

  #replace(dead: Slot): void {
    const slot = this.#spawn(dead.index, dead.restarts + 1);
    this.#slots[dead.index] = slot;
    this.#post(slot, { type: 'pods', pods: this.#pods });
    for (const credential of this.#credentials.values()) this.#post(slot, { type: 'credential', credential });
    for (const [pod, served] of this.#served) {
      if (served.slot !== slot.index) continue;
      if (served.unserved !== undefined) served.unserved();
      else this.#hand(slot, pod, served);
    }
  }

  #hand(slot: Slot, pod: string, served: Served): void {
    const { outbound, plain, hbone } = served.fds;
    served.handed = { outbound: dupFd(outbound), plain: dupFd(plain), hbone: dupFd(hbone) };
    this.#post(slot, { type: 'pods', pods: this.#pods });
    this.#post(slot, { type: 'serve', pod, fds: served.handed });
  }

  /**
   * Closes the copies that a dead worker never took: they would keep a socket listening that nobody serves. What it
   * took it has closed, and the number may be somebody else's by now, so only a number that still is the same
   * socket is closed.
   */
  #reclaim(worker: number): void {
    for (const served of this.#served.values()) {
      const { slot, fds, handed } = served;
      if (slot !== worker || handed === undefined) continue;
      served.handed = undefined;
      for (const part of ['outbound', 'plain', 'hbone'] as const)
        if (isSameSocket(handed[part], fds[part])) closeFd(handed[part]);
    }
  }

  #receive(slot: Slot, message: FromWorker): void {
    const { onEdges, onWatch, onUnwatch, log } = this.#options;
    switch (message.type) {
      case 'serving':
      case 'serve-failed':
        return this.#settle(message);
      case 'unserved':
        return this.#served.get(message.pod)?.unserved?.();
      case 'watch':
        return onWatch(slot.index, message.address);
      case 'unwatch':
        return onUnwatch(slot.index, message.address);
      case 'edges':
        return onEdges(slot.index, message.deltas, message.droppedLogLines);
      case 'problem':
        return log.error(
          { worker: slot.index, about: message.about, problem: message.message },
          'a worker could not follow: what held before holds on',
        );
      case 'closed':
        return slot.closed.resolve();
      case 'report':
        return slot.reports.get(message.seq)?.(message.report);
      case 'started':
        throw new InvariantError('a worker started twice');
    }
  }

  #settle(message: Extract<FromWorker, { type: 'serving' | 'serve-failed' }>): void {
    const served = this.#served.get(message.pod);
    if (served === undefined) return;
    const { waiting } = served;
    served.handed = undefined;
    served.waiting = undefined;
    if (message.type === 'serving') return waiting?.resolve();
    if (waiting === undefined) {
      const { pod, message: problem } = message;
      return this.#options.log.error({ pod, problem }, 'the pod of a dead worker is not served again');
    }
    this.#served.delete(message.pod);
    closeFds(served.fds);
    waiting.reject(new MeshError('NM_SERVE_FAILED', message.message, { by: 'mesh' }));
  }

  #report(slot: Slot, timeoutMs: number, details: boolean): Promise<WorkerReport | undefined> {
    if (!slot.alive) return Promise.resolve(undefined);
    const seq = ++this.#seq;
    return new Promise(resolve => {
      const settle = (report: WorkerReport | undefined) => {
        slot.reports.delete(seq);
        timer.cancel();
        resolve(report);
      };
      const timer = this.#options.clock.after(timeoutMs, () => settle(undefined));
      slot.reports.set(seq, settle);
      this.#post(slot, { type: 'report', seq, details });
    });
  }

  #leastLoaded(): Slot {
    const load = this.#slots.map(() => 0);
    for (const { slot } of this.#served.values()) load[slot] = (load[slot] ?? 0) + 1;
    return this.#slots[load.indexOf(Math.min(...load))] as Slot;
  }

  #tell(index: number, message: ToWorker): void {
    const slot = this.#slots[index];
    if (slot?.alive) this.#post(slot, message);
  }

  #tellAll(message: ToWorker): void {
    for (const slot of this.#slots) if (slot.alive) this.#post(slot, message);
  }

  #post(slot: Slot, message: ToWorker): void {
    slot.worker.postMessage(message);
  }
}

function isSameSocket(fd: number, known: number): boolean {
  try {
    return fstatSync(fd).ino === fstatSync(known).ino;
  } catch {
    // Not open (any more).
    return false;
  }
}

function closeFds(fds: PodFds): void {
  for (const fd of [fds.outbound, fds.plain, fds.hbone]) if (fd >= 0) closeFd(fd);
}
