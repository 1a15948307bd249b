/** New connections: connect, one request, its answer, close. */

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCpuMs } from '../measure/processes.ts';
import type { Cost, Job, Target } from './jobs.ts';
import { ECHO, REQUEST_BYTES, request } from './requests.ts';

/** For what the proxies still do after the last connection is closed at our end. */
const AFTERMATH_MS = 150;

export async function runConnections(job: Job & { kind: 'connections' }): Promise<Cost> {
  await many(job.target, job.warm, job.parallel);
  await sleep(AFTERMATH_MS);
  const at = performance.now();
  const cpu = readCpuMs(job.pids);
  await many(job.target, job.count, job.parallel);
  const wallMs = performance.now() - at;
  await sleep(AFTERMATH_MS);
  return { units: job.count, wallMs, cpuMs: readCpuMs(job.pids) - cpu };
}

async function many(target: Target, count: number, parallel: number): Promise<void> {
  let started = 0;
  const lane = async () => {
    while (started < count) {
      started += 1;
      await single(target);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

const MESSAGE = request(ECHO);

function single({ ip, port }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    const socket = connect({ host: ip, port, noDelay: true }, () => socket.write(MESSAGE));
    socket.on('data', chunk => {
      received += chunk.length;
      if (received >= REQUEST_BYTES) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (received === REQUEST_BYTES) resolve();
      else reject(new Error(`a connection was closed after ${received} of ${REQUEST_BYTES} bytes`));
    });
  });
}
