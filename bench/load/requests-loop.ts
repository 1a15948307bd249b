/** Small requests on open connections, each sent when the one before it is answered. */

import { setTimeout as sleep } from 'node:timers/promises';
import { readCpuMs } from '../measure/processes.ts';
import { dialMany, guard, release } from './dial.ts';
import type { Cost, Job } from './jobs.ts';
import { ECHO, REQUEST_BYTES, request } from './requests.ts';

export async function runRequests(job: Job & { kind: 'requests' }): Promise<Cost> {
  const sockets = await dialMany(job.target, job.connections);
  const message = request(ECHO);
  let answered = 0;
  const lost = Promise.withResolvers<never>();
  for (const socket of sockets) {
    let received = 0;
    guard(socket, lost.reject);
    socket.on('data', chunk => {
      received += chunk.length;
      if (received < REQUEST_BYTES) return;
      received -= REQUEST_BYTES;
      answered += 1;
      socket.write(message);
    });
    socket.write(message);
  }
  await Promise.race([sleep(job.warmMs), lost.promise]);
  const before = { answered, at: performance.now(), cpu: readCpuMs(job.pids) };
  await Promise.race([sleep(job.durationMs), lost.promise]);
  const cost = {
    units: answered - before.answered,
    wallMs: performance.now() - before.at,
    cpuMs: readCpuMs(job.pids) - before.cpu,
  };
  release(sockets);
  return cost;
}
