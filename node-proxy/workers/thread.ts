/** Entry of a tunnel worker's thread. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#base/clock.ts';
import { InvariantError } from '#base/errors.ts';
import { hostNetns } from '../kernel/index.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { TunnelWorker } from './tunnel-worker.ts';

if (parentPort === null) throw new InvariantError('thread.ts runs as a worker thread only');
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
const worker = new TunnelWorker(workerData as WorkerStart, send, systemClock, Math.random);
port.on('message', (message: ToWorker) => worker.handle(message));
