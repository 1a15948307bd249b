/** A dtab moves a share of new TCP connections to a second version, live, and no call fails. */

import { DIVISION_V2 } from '../../inventory.ts';
import { readCounters } from '../../mesh/counters.ts';
import type { Stage } from '../../stage.ts';
import { answersOf, eventually, type Scenario, since } from '../scenario.ts';
import { binomialBounds } from '../statistics.ts';

const URL = 'http://division.calculator:5002/division';
/** Percent → calls: enough to tell the share from its neighbours. */
const STEPS = [
  { percent: 1, calls: 3_000 },
  { percent: 50, calls: 1_000 },
  { percent: 100, calls: 500 },
] as const;
/** So many in a row say that all go there: at 50 % they would once in a million. */
const IN_A_ROW = 20;

export const scenario: Scenario = {
  number: 4,
  title: 'a dtab moves 1 %, 50 %, 100 % of new connections to the second version of division',
  async run(stage, findings) {
    const caller = stage.pod('mathfanboy-1');
    const v2 = await stage.cluster.start(DIVISION_V2);
    const before = await mathfanboysDivisions(stage);
    try {
      findings.equal(
        'answers of v2 before',
        0,
        answersOf(await stage.burst(caller, URL, { count: 100 }), 'v2'),
      );
      for (const { percent, calls } of STEPS) {
        await stage.mesh.namerd.setDtab(splitDtab(percent));
        // From the first answer (at 100 %: the first full row) on, every draw is a fresh one.
        const [count, wanted] = percent === 100 ? [IN_A_ROW, IN_A_ROW] : [50, 1];
        const arrived = await eventually(
          async () => answersOf(await stage.burst(caller, URL, { count, concurrency: 2 }), 'v2') >= wanted,
          20_000,
        );
        if (arrived === undefined) throw new Error(`no answer of v2 at ${percent} %`);
        const counters = await stage.burst(caller, URL, { count: calls, concurrency: 4 });
        findings.noFailedCall(`${calls} calls at ${percent} %`, counters);
        const bounds = binomialBounds(calls, percent / 100);
        findings.within(`of these answered by v2 at ${percent} %`, bounds, answersOf(counters, 'v2'));
      }
    } finally {
      await stage.mesh.namerd.setDtab('');
      await eventually(
        async () => answersOf(await stage.burst(caller, URL, { count: IN_A_ROW }), 'v1') === IN_A_ROW,
      );
      await stage.cluster.shutDown(v2.pod.id);
    }
    findings.noFailedCall(
      "mathfanboy's own divisions all the while",
      since(before, await mathfanboysDivisions(stage)),
    );
  },
};

export function splitDtab(percent: number): string {
  const [v1, v2] = ['division', 'division-v2'].map(name => `/#/registry/calculator/${name}`);
  if (percent === 100) return `/svc/calculator/division => ${v2} ;`;
  return `/svc/calculator/division => ${100 - percent} * ${v1} & ${percent} * ${v2} ;`;
}

async function mathfanboysDivisions(stage: Stage) {
  const { division } = await readCounters(stage.pod('mathfanboy-1').counters);
  if (division === undefined) throw new Error('mathfanboy has not divided yet');
  return division;
}
