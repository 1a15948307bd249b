/**
 * The load generator: one job as JSON on the command line, its outcome as JSON on standard output. A failed or
 * broken connection ends the job with an error: figures with failures in them would mean nothing.
 *
 *   node bench/load/generate.ts '{"kind":"requests","target":{"ip":"10.0.0.1","port":80},…}'
 */

import { messageOf } from '#base/errors.ts';
import { runBulk } from './bulk.ts';
import { runConnections } from './connections.ts';
import { runIdle } from './idle.ts';
import type { Job, Kind, Outcome } from './jobs.ts';
import { runPaced } from './paced.ts';
import { runRequests } from './requests-loop.ts';

try {
  const outcome = await perform(JSON.parse(process.argv[2] ?? '') as Job);
  process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1));
}

function perform(job: Job): Promise<Outcome[Kind]> {
  switch (job.kind) {
    case 'requests':
      return runRequests(job);
    case 'connections':
      return runConnections(job);
    case 'bulk':
      return runBulk(job);
    case 'paced':
      return runPaced(job);
    case 'idle':
      return runIdle(job);
  }
}
