/** Many bytes on one connection: down, then up. */

import { connect, type Socket } from 'node:net';
import { readCpuMs } from '../measure/processes.ts';
import type { Cost, Job, Target } from './jobs.ts';
import { RECEIVE, REQUEST_BYTES, request, SEND } from './requests.ts';

const CHUNK = Buffer.alloc(256 * 1024, 0x7a);
const WARM_BYTES = 30e6;

export async function runBulk(job: Job & { kind: 'bulk' }): Promise<Cost> {
  await download(job.target, WARM_BYTES);
  await upload(job.target, WARM_BYTES);
  const at = performance.now();
  const cpu = readCpuMs(job.pids);
  const half = Math.floor(job.bytes / 2);
  await download(job.target, half);
  await upload(job.target, half);
  return { units: 2 * half, wallMs: performance.now() - at, cpuMs: readCpuMs(job.pids) - cpu };
}

function download(target: Target, bytes: number): Promise<void> {
  let received = 0;
  return exchange(
    target,
    count => {
      received += count;
      return received === bytes;
    },
    socket => socket.write(request(SEND, bytes)),
  );
}

function upload(target: Target, bytes: number): Promise<void> {
  let received = 0;
  return exchange(
    target,
    count => {
      received += count;
      return received === REQUEST_BYTES;
    },
    socket => {
      socket.write(request(RECEIVE, bytes));
      let left = bytes;
      const more = () => {
        while (left > 0) {
          const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
          left -= chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', more);
      more();
    },
  );
}

/** One connection until `complete` says that all answers are there; all reads go to one buffer. */
function exchange(
  { ip, port }: Target,
  complete: (received: number) => boolean,
  begin: (socket: Socket) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = false;
    const onread = {
      buffer: Buffer.alloc(256 * 1024),
      callback: (count: number) => {
        if (complete(count)) {
          done = true;
          socket.end();
        }
        return true;
      },
    };
    const socket = connect({ host: ip, port, noDelay: true, onread }, () => begin(socket));
    socket.on('error', reject);
    socket.on('close', () => (done ? resolve() : reject(new Error('bulk bytes are missing'))));
  });
}
