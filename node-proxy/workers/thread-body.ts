/** What both kinds of worker threads do: talk to the main thread, and measure themselves. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { systemClock } from '#base/clock.ts';
import { InvariantError } from '#base/errors.ts';
import { hostNetns } from '../kernel/index.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { beat } from './pulse.ts';
import type { WorkerParts } from './worker-core.ts';

export interface ThreadParts extends WorkerParts {
  /** Follows what the main thread has sent so far, without waiting for the event loop. */
  catchUp(): void;
}

/** @param make the worker; says `started` itself. */
export function runThread(make: (parts: ThreadParts) => { handle(message: ToWorker): void }): void {
  if (parentPort === null) throw new InvariantError('this file runs as a worker thread only');
  const port = parentPort;
  // Before anything enters a pod: the way back.
  hostNetns();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const send = (message: FromWorker) => {
    if (message.type === 'report') {
      const ms = (nanoseconds: number) =>
        Number.isFinite(nanoseconds) ? Math.max(nanoseconds / 1e6 - 10, 0) : 0;
      message.report.eventLoopDelay = {
        p50: ms(delay.percentile(50)),
        p99: ms(delay.percentile(99)),
        max: ms(delay.max),
      };
      message.report.heapBytes = getHeapStatistics().used_heap_size;
      delay.reset();
    }
    port.postMessage(message);
  };
  const start = workerData as WorkerStart;
  const worker = make({
    start,
    send,
    clock: systemClock,
    random: Math.random,
    catchUp: () => {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        worker.handle(next.message as ToWorker);
    },
  });
  port.on('message', (message: ToWorker) => worker.handle(message));
  if (start.pulse !== undefined) beat(start.pulse, systemClock);
}
