/** An endpoint that fails is left alone, looked after with a probe now and then, and used again when it is well. */

import type { Delivery, Order } from '../../calculator/courier.ts';
import { server } from '../../inventory.ts';
import { sum } from '../../mesh/metrics.ts';
import { trafficPolicy } from '../http/documents.ts';
import { described, inForce } from '../http/in-force.ts';
import { eventually, type Findings, type Scenario } from '../scenario.ts';

const URL = 'http://subtraction.calculator:5004/subtraction';
const FAILURES = 5;
const REQUESTS = 200;
const SUBTRACTION = { service: '/#/registry/calculator/subtraction/http' };
/** The longest that an endpoint is left alone. */
const EJECTION_SECONDS = 2;
/** From its ejection to its first probe at the earliest: back-offs are shortened by half at most. */
const FIRST_PROBE_MS = 500;
/** Made by a failing endpoint during 3 s of its ejection. */
const PROBES = 4;

/** @param maxEjectedPercent of the endpoints */
export function breaker(maxEjectedPercent: number) {
  return trafficPolicy('subtraction', {
    // Turn by turn: others would avoid an endpoint that fails before the breaker has to.
    balancer: { kind: 'roundRobin' },
    circuitBreaker: {
      consecutiveFailures: FAILURES,
      minEjection: '1s',
      maxEjection: `${EJECTION_SECONDS}s`,
      maxEjectedPercent,
    },
  });
}

export const SECOND_SUBTRACTION = server('subtraction', 1, 'v1', 2);

export const scenario: Scenario = {
  number: 13,
  title: 'a breaker opens, sheds, probes and recovers',
  needs: [SECOND_SUBTRACTION],
  async run(stage, findings) {
    // On node 2, where nobody else calls subtraction: every failure that is counted is one of these.
    const caller = stage.pod('multiplication-1');
    const ask = (order: Partial<Order>) => stage.order(caller, { url: URL, ...order });
    const sick = stage.pod(SECOND_SUBTRACTION.name);
    const proxy = stage.mesh.proxyOf(caller.pod.node);
    const level = async (metric: string) => sum(await proxy.metrics(), metric, SUBTRACTION);
    const ejected = () => level('nodemesh_endpoints_ejected');
    const turns = async () => Object.keys((await ask({ count: 2 })).answeredBy).length === 2;
    const served = async () => (await turns()) && (await turns()) && (await turns());
    const before = await level('nodemesh_ejections_total');
    try {
      await inForce(stage, findings, [breaker(50)], served, async () => {
        await stage.behave(sick, { status: 500 });
        const opening = await ask({ count: REQUESTS });
        const failures = opening.statuses['500'] ?? 0;
        // None on a machine that is not too slow for it: 200 requests take less time than the first probe.
        const probes = Math.floor(opening.tookMs / FIRST_PROBE_MS);
        const what = 'it opens: failures among 200 requests, by turns';
        findings.within(what, [FAILURES, FAILURES + probes], failures);
        const others = opening.answeredBy['subtraction-1/v1'] ?? 0;
        findings.equal('it sheds: answered by the other endpoint', REQUESTS - failures, others);
        await eventually(async () => (await ejected()) === 1);
        findings.equal('endpoints ejected, by the metrics', 1, await ejected());
        const probing = await ask({ count: 100_000, forMs: 3_000, perSecond: 50 });
        findings.within(
          'it probes: failures among 3 s of requests',
          [1, PROBES],
          probing.statuses['500'] ?? 0,
        );
        await stage.behave(sick, { status: 0 });
        await recovers(findings, 'it recovers', ask, [sick.spec.name]);
        findings.equal('endpoints ejected, by the metrics', 0, await settled(ejected, 0));
        const made = (await level('nodemesh_ejections_total')) - before;
        findings.equal('ejections, by the metrics', 1, made);

        await stage.mesh.namerd.store(breaker(100));
        const both = [sick, stage.pod('subtraction-1')];
        for (const endpoint of both) await stage.behave(endpoint, { status: 500 });
        const shed = async () => (await ask({})).reasons['ejected'] === 1;
        await eventually(async () => (await ask({ count: FAILURES })) !== undefined && (await shed()));
        const nobody = await ask({ count: 20 });
        findings.equal('both fail and both may be ejected', '503 ×20 (ejected)', described(nobody));
        for (const endpoint of both) await stage.behave(endpoint, { status: 0 });
        await recovers(
          findings,
          'both recover',
          ask,
          both.map(({ spec }) => spec.name),
        );
      });
    } finally {
      for (const endpoint of [sick, stage.pod('subtraction-1')]) await stage.behave(endpoint, { status: 0 });
    }
  },
};

async function recovers(
  findings: Findings,
  what: string,
  ask: (order: Partial<Order>) => Promise<Delivery>,
  endpoints: readonly string[],
): Promise<void> {
  const answered = async () => {
    const { answeredBy, statuses } = await ask({ count: 20 });
    return statuses['200'] === 20 && endpoints.every(name => (answeredBy[`${name}/v1`] ?? 0) > 0);
  };
  const limit = 2 * EJECTION_SECONDS * 1000;
  const took = await eventually(answered, limit);
  const seen = took === undefined ? 'not yet' : `after ${took.toFixed(0)} ms`;
  findings.add(`${what}: ${endpoints.join(' and ')} answer again`, `≤ ${limit} ms`, seen, took !== undefined);
}

async function settled(read: () => Promise<number>, value: number): Promise<number> {
  await eventually(async () => (await read()) === value);
  return read();
}
