/** One worker as the main thread sees it: its thread, and the threads that follow it when it dies. */

import { type MessagePort, Worker } from 'node:worker_threads';
import { Backoff } from '#base/backoff.ts';
import type { Clock } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { FromWorker, ToWorker, WorkerReport, WorkerRole, WorkerStart } from '../messages.ts';
import { newPulse, watchPulse } from '../pulse.ts';

/** A worker that lived this long died of something else than its start. */
const STABLE_MS = 10_000;

/** A machine that is very busy may need long to start a thread: this many times what else means that one hangs. */
const START_FACTOR = 6;

/** Time for a worker to end its connections and write its logs out. */
const CLOSE_WITHIN_MS = 2_000;

/** What a worker says beside what is about the thread itself. */
export type WorkerWord = Exclude<FromWorker, { type: 'started' | 'closed' | 'report' | 'problem' }>;

export interface WorkerThreadOptions {
  role: WorkerRole;
  /** Its name in metrics and logs. */
  name: string;
  /** The module that the thread runs. */
  entry: URL;
  /** For the thread that starts now. */
  start: () => WorkerStart;
  /** Megabytes of heap; beyond it the thread dies and is replaced. */
  heapMb: number;
  /** Without a sign of life for as long as this, the thread is ended and replaced. */
  hungAfterMs: number;
  clock: Clock;
  log: Logger;
  onMessage: (message: WorkerWord) => void;
  /** The thread has ended, to its last descriptor. */
  onDied: () => void;
  /** A new thread has taken its place, and knows nothing yet. */
  onReplaced: () => void;
}

/** One life. */
interface Life {
  worker: Worker;
  /** Resolved when the thread has started. */
  started: Promise<void>;
  /** Resolved when it has ended its connections, or died. */
  closed: PromiseWithResolvers<void>;
  /** Monotonic time of its start. */
  sinceMs: number;
}

export interface NamedReport {
  role: WorkerRole;
  name: string;
  /** Times that it died and was replaced. */
  restarts: number;
  /** Undefined when it did not answer in time. */
  report: WorkerReport | undefined;
}

export class WorkerDied extends MeshError {
  constructor(name: string, cause?: unknown) {
    super('NM_WORKER_DIED', `worker ${name} died`, {
      by: 'mesh',
      next: 'It is replaced; see the log for why it died.',
      cause,
    });
  }
}

export class WorkerThread {
  readonly role: WorkerRole;
  readonly name: string;
  restarts = 0;
  /** False between a thread's death and its successor. */
  alive = false;
  readonly #options: WorkerThreadOptions;
  readonly #backoff = new Backoff({ minMs: 20, maxMs: 5_000 });
  readonly #reports = new Map<number, (report: WorkerReport | undefined) => void>();
  #life: Life;
  #seq = 0;
  #final = false;

  constructor(options: WorkerThreadOptions) {
    this.#options = options;
    this.role = options.role;
    this.name = options.name;
    this.#life = this.#spawn();
  }

  /** Resolved when the present thread has started. @throws WorkerDied */
  get started(): Promise<void> {
    return this.#life.started;
  }

  /** Nobody hears it while the thread is dead: who follows is told everything anew. */
  post(message: ToWorker, transfer: readonly MessagePort[] = []): void {
    if (this.alive) this.#life.worker.postMessage(message, transfer);
  }

  /** What it says of itself. */
  async report(timeoutMs: number, details: boolean): Promise<NamedReport> {
    const report = this.alive ? await this.#ask(timeoutMs, details) : undefined;
    return { role: this.role, name: this.name, restarts: this.restarts, report };
  }

  /** From now on a death is final. */
  leaveDead(): void {
    this.#final = true;
  }

  /** Ends its connections with a reset, then the thread: one that is just ended would look like a clean end. */
  async close(): Promise<void> {
    this.#final = true;
    const { worker, closed } = this.#life;
    if (this.alive) {
      const late = Promise.withResolvers<void>();
      const timer = this.#options.clock.after(CLOSE_WITHIN_MS, () => late.resolve());
      this.post({ type: 'close' });
      await Promise.race([closed.promise, late.promise]);
      timer.cancel();
    }
    await worker.terminate();
  }

  #ask(timeoutMs: number, details: boolean): Promise<WorkerReport | undefined> {
    const seq = ++this.#seq;
    return new Promise(resolve => {
      const settle = (report: WorkerReport | undefined) => {
        this.#reports.delete(seq);
        timer.cancel();
        resolve(report);
      };
      const timer = this.#options.clock.after(timeoutMs, () => settle(undefined));
      this.#reports.set(seq, settle);
      this.post({ type: 'report', seq, details });
    });
  }

  #spawn(): Life {
    const { name, entry, start, heapMb, hungAfterMs, clock, log } = this.#options;
    const pulse = newPulse();
    const worker = new Worker(entry, {
      name: name.replace('/', '-'),
      workerData: { ...start(), pulse },
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    const onHung = () => {
      log.error({ worker: name }, 'a worker hangs and is ended');
      worker
        .terminate()
        .catch(error => log.error({ err: error, worker: name }, 'a worker could not be ended'));
    };
    // It loads its code first, and has no pulse until then.
    let watch = watchPulse(pulse, clock, START_FACTOR * hungAfterMs, onHung);
    const started = Promise.withResolvers<void>();
    // Nobody may be waiting when a replacement dies young.
    started.promise.catch(() => {});
    const life: Life = {
      worker,
      started: started.promise,
      closed: Promise.withResolvers(),
      sinceMs: clock.monotonic(),
    };
    this.alive = true;
    worker.on('message', (message: FromWorker) => {
      if (message.type !== 'started') return this.#receive(life, message);
      started.resolve();
      watch.cancel();
      watch = watchPulse(pulse, clock, hungAfterMs, onHung);
    });
    worker.on('error', error => log.error({ err: error, worker: name }, 'worker failed'));
    worker.on('exit', code => {
      this.alive = false;
      watch.cancel();
      life.closed.resolve();
      started.reject(new WorkerDied(name, `exit code ${code}`));
      for (const settle of [...this.#reports.values()]) settle(undefined);
      this.#died(life, code);
    });
    return life;
  }

  #receive(life: Life, message: Exclude<FromWorker, { type: 'started' }>): void {
    const { name, log, onMessage } = this.#options;
    switch (message.type) {
      case 'closed':
        return life.closed.resolve();
      case 'report':
        return this.#reports.get(message.seq)?.(message.report);
      case 'problem':
        return log.error(
          { worker: name, about: message.about, problem: message.message },
          'a worker could not follow: what held before holds on',
        );
      default:
        return onMessage(message);
    }
  }

  #died({ sinceMs }: Life, code: number): void {
    const { name, clock, log, onDied } = this.#options;
    onDied();
    if (this.#final) return;
    log.error({ worker: name, code, restarts: this.restarts + 1 }, 'a worker died and is replaced');
    // One that dies as soon as it starts must not spin; one that lived for a while is replaced at once.
    if (clock.monotonic() - sinceMs > STABLE_MS) this.#backoff.reset();
    clock.after(this.#backoff.nextMs(), () => {
      if (this.#final) return;
      this.restarts += 1;
      this.#life = this.#spawn();
      this.#options.onReplaced();
    });
  }
}
