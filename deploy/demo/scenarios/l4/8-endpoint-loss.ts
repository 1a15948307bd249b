/** One of two replicas is killed under traffic, another one is shut down gracefully. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../../cluster.ts';
import { server } from '../../inventory.ts';
import { failedCalls } from '../../mesh/counters.ts';
import type { Stage } from '../../stage.ts';
import { describeFailures, eventually, type Findings, type Scenario } from '../scenario.ts';

const URL = 'http://addition.calculator:5001/addition';
const CONCURRENCY = 8;
/** Traffic on after the event, so that late damage is seen too. */
const AFTERMATH_MS = 1_500;

export const scenario: Scenario = {
  number: 8,
  title: 'an endpoint killed under traffic, and one shut down gracefully',
  async run(stage, findings) {
    await underTraffic(stage, findings, 'killed', CONCURRENCY, async replica => {
      await replica.app?.stop('SIGKILL');
      // The registry still lists it for a while, as a cluster would.
      await sleep(AFTERMATH_MS);
      await stage.cluster.remove(replica.pod.id, 'SIGKILL');
    });
    await underTraffic(stage, findings, 'shut down gracefully', 0, replica =>
      stage.cluster.shutDown(replica.pod.id),
    );
  },
};

/** @param allowed how many calls may fail: those that were in flight at the replica. */
async function underTraffic(
  stage: Stage,
  findings: Findings,
  how: string,
  allowed: number,
  end: (replica: Running) => Promise<void>,
): Promise<void> {
  const caller = stage.pod('mathfanboy-1');
  const replica = await stage.cluster.start(server('addition', 2, 'v1', 2));
  const host = `${replica.spec.name}/v1`;
  const answers = async () => (await stage.burst(caller, URL, { count: 20 })).answeredBy[host] ?? 0;
  await eventually(async () => (await answers()) > 0);
  const traffic = await stage.keepCalling(caller, URL, { concurrency: CONCURRENCY, pauseMs: 2 });
  await sleep(AFTERMATH_MS);
  await end(replica);
  await sleep(AFTERMATH_MS);
  const counters = await traffic.stop();
  findings.atLeast(`${how}: calls that the replica answered before`, 50, counters.answeredBy[host] ?? 0);
  const failed = failedCalls(counters);
  const expected = allowed === 0 ? '0 failed' : `≤ ${allowed} failed (in flight)`;
  findings.add(`${how}: calls`, expected, describeFailures(counters), failed <= allowed);
}
