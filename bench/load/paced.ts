/**
 * Requests at a fixed rate, open loop. A thread of its own (`metronome.ts`) writes each request to its socket when
 * it is due, whatever the answers do; this thread only reads. Latency counts from the moment a request was *due*,
 * so a stall is charged to every request that it delays (no coordinated omission).
 */

import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { readCpuMs } from '../measure/processes.ts';
import { percentile } from '../measure/statistics.ts';
import { dialMany, guard, release } from './dial.ts';
import type { Cost, Job, Latency } from './jobs.ts';
import type { Tempo } from './metronome.ts';
import { REQUEST_BYTES } from './requests.ts';

/** The threads agree on the time of the first request, this far ahead. */
const LEAD_MS = 200;
/** Longest wait for the last answers. */
const LINGER_MS = 5_000;

export async function runPaced(job: Job & { kind: 'paced' }): Promise<Cost & Latency> {
  const sockets = await dialMany(job.target, job.connections);
  const warm = Math.round((job.warmMs / 1000) * job.ratePerSecond);
  const counted = Math.round((job.durationMs / 1000) * job.ratePerSecond);
  const latencies = new Float64Array(warm + counted).fill(Number.NaN);
  const sentLate = new Float64Array(new SharedArrayBuffer(8 * (warm + counted)));
  const startNs = process.hrtime.bigint() + BigInt(LEAD_MS) * 1_000_000n;
  const intervalNs = 1e9 / job.ratePerSecond;
  const lost = Promise.withResolvers<never>();
  const answers = readAnswers(sockets, latencies, Number(startNs), intervalNs, lost.reject);

  const tempo: Tempo = {
    descriptors: sockets.map(descriptorOf),
    startNs,
    intervalNs,
    requests: warm + counted,
    sentLate,
  };
  const metronome = new Worker(new URL('./metronome.ts', import.meta.url), { workerData: tempo });
  metronome.on('error', lost.reject);

  await Promise.race([until(startNs, warm * intervalNs), lost.promise]);
  const cpu = readCpuMs(job.pids);
  const at = performance.now();
  await Promise.race([until(startNs, (warm + counted) * intervalNs), lost.promise]);
  const cpuMs = readCpuMs(job.pids) - cpu;
  const wallMs = performance.now() - at;
  const overdue = setTimeout(() => lost.reject(new Error('answers are missing')), LINGER_MS);
  await Promise.race([answers, lost.promise]);
  clearTimeout(overdue);
  release(sockets);

  const measured = latencies.subarray(warm).sort();
  return {
    units: counted,
    wallMs,
    cpuMs,
    p50: percentile(measured, 0.5),
    p99: percentile(measured, 0.99),
    p999: percentile(measured, 0.999),
    max: percentile(measured, 1),
    lateP99: percentile(sentLate.slice(warm).sort(), 0.99),
  };
}

/** Fills `latencies`, in milliseconds; answers come in order, and request k went out on connection k mod n. */
function readAnswers(
  sockets: readonly Socket[],
  latencies: Float64Array,
  startNs: number,
  intervalNs: number,
  lost: (error: Error) => void,
): Promise<void> {
  let missing = latencies.length;
  return new Promise(resolve => {
    sockets.forEach((socket, first) => {
      let next = first;
      let received = 0;
      guard(socket, lost);
      socket.on('data', chunk => {
        const now = Number(process.hrtime.bigint());
        received += chunk.length;
        for (; received >= REQUEST_BYTES; received -= REQUEST_BYTES) {
          latencies[next] = (now - startNs - next * intervalNs) / 1e6;
          next += sockets.length;
          missing -= 1;
        }
        if (missing === 0) resolve();
      });
    });
  });
}

async function until(startNs: bigint, afterNs: number): Promise<void> {
  const left = Number(startNs - process.hrtime.bigint()) + afterNs;
  await new Promise(resolve => setTimeout(resolve, Math.max(0, left / 1e6)));
}

/** Node.js keeps it to itself; no public interface lets another thread write to a socket. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}
