/** namerd is killed under traffic: nobody notices. It comes back: changes flow again within a second. */

import { setTimeout as sleep } from 'node:timers/promises';
import { DIVISION_V2 } from '../../inventory.ts';
import { answersOf, eventually, type Scenario } from '../scenario.ts';
import { splitDtab } from './4-split.ts';

const URL = 'http://division.calculator:5002/division';
const WITHOUT_MS = 3_000;
const BACK_WITHIN_MS = 1_000;

export const scenario: Scenario = {
  number: 6,
  title: 'namerd killed with -9 under traffic, then started again',
  async run(stage, findings) {
    const { namerd } = stage.mesh;
    const v2 = await stage.cluster.start(DIVISION_V2);
    const caller = stage.pod('mathfanboy-1');
    const traffic = await stage.keepCalling(caller, URL, { concurrency: 4, pauseMs: 5 });
    const neighbour = await stage.keepCalling(caller, 'http://addition.calculator:5001/addition', {
      pauseMs: 5,
    });
    try {
      await namerd.kill();
      await sleep(WITHOUT_MS);
      await namerd.start();
      await namerd.setDtab(splitDtab(100));
      const before = answersOf(await traffic.read(), 'v2');
      const arrived = async () => answersOf(await traffic.read(), 'v2') > before;
      const took = await eventually(arrived, 10_000);
      const seen = took === undefined ? 'not within 10 s' : `${took.toFixed(0)} ms`;
      findings.add(
        'a dtab written as soon as it is back acts',
        `≤ ${BACK_WITHIN_MS} ms`,
        seen,
        (took ?? 1e9) <= BACK_WITHIN_MS,
      );
    } finally {
      await namerd.setDtab('');
      await eventually(async () => answersOf(await stage.burst(caller, URL, { count: 3 }), 'v1') === 3);
      await stage.cluster.shutDown(v2.pod.id);
      const across = await traffic.stop();
      const same = await neighbour.stop();
      findings.noFailedCall('calls across the wire all the while', across);
      findings.noFailedCall('calls on the same node all the while', same);
    }
  },
};
