/** Connections that were used once and then rest, and what they weigh in the proxies. */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMemory } from '../measure/processes.ts';
import { dial, guard, release } from './dial.ts';
import type { Job, Target, Weight } from './jobs.ts';
import { ECHO, REQUEST_BYTES, request } from './requests.ts';

const PARALLEL = 16;

export async function runIdle(job: Job & { kind: 'idle' }): Promise<{ weights: Weight[] }> {
  const sockets: Socket[] = [];
  const weights: Weight[] = [];
  const lost = Promise.withResolvers<never>();
  for (const connections of job.counts) {
    const missing = connections - sockets.length;
    let started = 0;
    const lane = async () => {
      for (; started < missing; ) {
        started += 1;
        sockets.push(await used(job.target, lost.reject));
      }
    };
    await Promise.race([Promise.all(Array.from({ length: PARALLEL }, lane)), lost.promise]);
    await Promise.race([sleep(job.settleMs), lost.promise]);
    weights.push({ connections, ...readMemory(job.pids) });
  }
  release(sockets);
  return { weights };
}

/** A connection on which one request has been answered. */
async function used(target: Target, lost: (error: Error) => void): Promise<Socket> {
  const socket = await dial(target);
  guard(socket, lost);
  let received = 0;
  await new Promise<void>(resolve => {
    socket.on('data', chunk => {
      received += chunk.length;
      if (received === REQUEST_BYTES) resolve();
    });
    socket.write(request(ECHO));
  });
  return socket;
}
