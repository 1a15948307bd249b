/** What processes cost, from /proc: CPU time of all their threads, and memory. */

import { readdirSync, readFileSync } from 'node:fs';
import { MeshError } from '#base/errors.ts';

export class GoneError extends MeshError {
  constructor(pid: number, cause: unknown) {
    super('NM_BENCH_GONE', `process ${pid}, which is being measured, is gone`, { by: 'mesh', cause });
  }
}

/**
 * User and system time, milliseconds: the scheduler's nanosecond counters of every thread (`schedstat`). The ticks
 * of `/proc/PID/stat` are 10 ms, too coarse for short runs. Threads that ended are not in it.
 */
export function readCpuMs(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids)
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`))
        nanoseconds += Number(
          readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0],
        );
    } catch (error) {
      throw new GoneError(pid, error);
    }
  return nanoseconds / 1e6;
}

/** Bytes; PSS counts a page that n processes share as 1/n. */
export function readMemory(pids: readonly number[]): { pss: number; rss: number } {
  const memory = { pss: 0, rss: 0 };
  for (const pid of pids)
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      memory.pss += kilobytes(text, 'Pss') * 1024;
      memory.rss += kilobytes(text, 'Rss') * 1024;
    } catch (error) {
      throw new GoneError(pid, error);
    }
  return memory;
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN);
}
