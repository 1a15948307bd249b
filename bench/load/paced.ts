/**
 * Requests at a fixed rate, open loop. A thread of its own (`metronome.ts`) writes each request to its socket when
 * it is due, whatever the answers do; this thread only reads. Latency counts from the moment a request was *due*,
 * so a stall is charged to every request that it delays (no coordinated omission).
 */

import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { readCpuMs } from '../measure/processes.ts';
import { percentile } from '../measure/statistics.ts';
import { dialLines, type Line, release } from './dial.ts';
import type { Cost, Job, Latency } from './jobs.ts';
import type { Tempo } from './metronome.ts';
import type { Dialect } from './speech/dialect.ts';
import { dialectOf } from './speech/dialect-of.ts';

/** The threads agree on the time of the first request, this far ahead. */
const LEAD_MS = 200;
/** Longest wait for the last answers. */
const LINGER_MS = 5_000;

export async function runPaced(job: Job & { kind: 'paced' }): Promise<Cost & Latency> {
  const dialect = dialectOf(job.speech, `${job.target.ip}:${job.target.port}`);
  const lost = Promise.withResolvers<never>();
  const lines = await dialLines(job.target, job.connections, lost.reject);
  const warm = Math.round((job.warmMs / 1000) * job.ratePerSecond);
  const counted = Math.round((job.durationMs / 1000) * job.ratePerSecond);
  const latencies = new Float64Array(warm + counted).fill(Number.NaN);
  const sentLate = new Float64Array(new SharedArrayBuffer(8 * (warm + counted)));
  const startNs = process.hrtime.bigint() + BigInt(LEAD_MS) * 1_000_000n;
  const intervalNs = 1e9 / job.ratePerSecond;
  const answers = readAnswers(lines, dialect, latencies, Number(startNs), intervalNs);

  const tempo: Tempo = {
    descriptors: lines.map(({ socket }) => descriptorOf(socket)),
    request: dialect.request,
    streamIdAt: dialect.streamIdAt,
    startNs,
    intervalNs,
    requests: warm + counted,
    sentLate,
  };
  const metronome = new Worker(new URL('./metronome.ts', import.meta.url), { workerData: tempo });
  metronome.on('error', lost.reject);

  await Promise.race([until(startNs, warm * intervalNs), lost.promise]);
  const cpu = readCpuMs(job.pids);
  const own = process.cpuUsage();
  const at = performance.now();
  await Promise.race([until(startNs, (warm + counted) * intervalNs), lost.promise]);
  const cpuMs = readCpuMs(job.pids) - cpu;
  const { user, system } = process.cpuUsage(own);
  const wallMs = performance.now() - at;
  const overdue = setTimeout(() => lost.reject(new Error('answers are missing')), LINGER_MS);
  await Promise.race([answers, lost.promise]);
  clearTimeout(overdue);
  release(lines.map(({ socket }) => socket));

  const measured = latencies.subarray(warm).sort();
  return {
    units: counted,
    wallMs,
    cpuMs,
    ownCpuMs: (user + system) / 1e3,
    p50: percentile(measured, 0.5),
    p99: percentile(measured, 0.99),
    p999: percentile(measured, 0.999),
    max: percentile(measured, 1),
    lateP99: percentile(sentLate.slice(warm).sort(), 0.99),
  };
}

/** Fills `latencies`, in milliseconds; request k is the (k div n)th of connection k mod n. */
function readAnswers(
  lines: readonly Line[],
  dialect: Dialect,
  latencies: Float64Array,
  startNs: number,
  intervalNs: number,
): Promise<void> {
  let missing = latencies.length;
  return new Promise(resolve => {
    lines.forEach((line, first) => {
      const { socket } = line;
      // Read once per chunk: its answers arrived together.
      let now = 0;
      const read = dialect.reader(
        bytes => void socket.write(bytes),
        n => {
          const k = first + n * lines.length;
          latencies[k] = (now - startNs - k * intervalNs) / 1e6;
          missing -= 1;
        },
      );
      line.read = chunk => {
        now = Number(process.hrtime.bigint());
        read(chunk);
        if (missing === 0) resolve();
      };
      if (dialect.opening !== undefined) socket.write(dialect.opening);
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
