/** Requests on open connections, each sent when one before it is answered. */

import { setTimeout as sleep } from 'node:timers/promises';
import { readCpuMs } from '../measure/processes.ts';
import { dialLines, release } from './dial.ts';
import type { Cost, Job } from './jobs.ts';
import { dialectOf } from './speech/dialect-of.ts';
import { numbered } from './speech/numbered.ts';

export async function runRequests(job: Job & { kind: 'requests' }): Promise<Cost> {
  const dialect = dialectOf(job.speech, `${job.target.ip}:${job.target.port}`);
  const lost = Promise.withResolvers<never>();
  const lines = await dialLines(job.target, job.connections, lost.reject);
  let answered = 0;
  for (const line of lines) {
    const { socket } = line;
    let sent = 0;
    let due = job.streams ?? 1;
    const read = dialect.reader(
      bytes => void socket.write(bytes),
      () => {
        answered += 1;
        due += 1;
      },
    );
    const send = () => {
      if (due === 0) return;
      socket.write(numbered(dialect, sent, due));
      sent += due;
      due = 0;
    };
    line.read = chunk => {
      read(chunk);
      send();
    };
    if (dialect.opening !== undefined) socket.write(dialect.opening);
    send();
  }
  await Promise.race([sleep(job.warmMs), lost.promise]);
  const before = { answered, at: performance.now(), cpu: readCpuMs(job.pids), own: process.cpuUsage() };
  await Promise.race([sleep(job.durationMs), lost.promise]);
  const own = process.cpuUsage(before.own);
  const cost = {
    units: answered - before.answered,
    wallMs: performance.now() - before.at,
    cpuMs: readCpuMs(job.pids) - before.cpu,
    ownCpuMs: (own.user + own.system) / 1e3,
  };
  release(lines.map(({ socket }) => socket));
  return cost;
}
