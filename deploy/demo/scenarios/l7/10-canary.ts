/** One request in a hundred goes to a second version; users stay where they are while its share grows. */

import { ADDITION_V2 } from '../../inventory.ts';
import type { Stage } from '../../stage.ts';
import { backend, type Document, httpRoute, trafficPolicy } from '../http/documents.ts';
import { byVersion, described, inForce } from '../http/in-force.ts';
import { eventually, type Findings, type Scenario } from '../scenario.ts';
import { binomialBounds } from '../statistics.ts';

const URL = 'http://addition.calculator:5001/addition';
const CANARY_REQUESTS = 10_000;
const CONNECTIONS = 8;
const USERS = 1_000;
const SHARES = [1, 10, 50] as const;

/** @param mark in every answer: which route it was routed by. */
export function canary(percent: number, mark: string): Document {
  const set = [{ name: 'x-share', value: mark }];
  return httpRoute('addition', [
    {
      name: 'canary',
      filters: [{ type: 'ResponseHeaderModifier', responseHeaderModifier: { set } }],
      backendRefs: [backend('addition', 5001, 100 - percent), backend('addition-v2', 5001, percent)],
    },
  ]);
}

export const BY_USER = trafficPolicy('addition', {
  balancer: { kind: 'ringHash', hashOn: { cookie: 'user' } },
});

export const scenario: Scenario = {
  number: 10,
  title: 'an HTTPRoute sends 1 % of the requests to a second version, and users stay where they are',
  needs: [ADDITION_V2],
  async run(stage, findings) {
    const caller = stage.pod('mathfanboy-1');
    const routedBy = async (mark: string) => {
      const { answers } = await stage.order(caller, { url: URL });
      return answers[0]?.headers['x-share'] === mark;
    };
    await inForce(
      stage,
      findings,
      [canary(1, 'any')],
      () => routedBy('any'),
      async () => {
        const order = { url: URL, count: CANARY_REQUESTS, connections: CONNECTIONS };
        const delivery = await stage.order(caller, order);
        const what = `${CANARY_REQUESTS} requests over ${CONNECTIONS} connections`;
        findings.equal(what, `200 ×${CANARY_REQUESTS}`, described(delivery));
        const bounds = binomialBounds(CANARY_REQUESTS, 0.01);
        findings.within('of these answered by v2 at 1 %', bounds, byVersion(delivery, 'v2'));
      },
    );
    await inForce(
      stage,
      findings,
      [BY_USER, canary(1, '1 %')],
      () => routedBy('1 %'),
      () => sticky(stage, findings, routedBy),
    );
  },
};

/** Every user asks, over and over, while the weights move. */
async function sticky(
  stage: Stage,
  findings: Findings,
  routedBy: (mark: string) => Promise<boolean>,
): Promise<void> {
  const caller = stage.pod('mathfanboy-1');
  const round = (rounds: number) =>
    stage.order(caller, { url: URL, users: USERS, count: rounds * USERS, connections: CONNECTIONS });
  let before: string[] = [];
  for (const percent of SHARES) {
    const mark = `${percent} %`;
    if (percent > 1) {
      const [during] = await Promise.all([round(2), stage.mesh.namerd.store(canary(percent, mark))]);
      await eventually(() => routedBy(mark));
      findings.equal(`while the share becomes ${mark}: users that leave v2`, 0, during.moves['v2 → v1'] ?? 0);
    }
    const delivery = await round(2);
    const moved = Object.values(delivery.moves).reduce((total, count) => total + count, 0);
    findings.equal(`at ${mark}: users that are not answered by the same version twice`, 0, moved);
    const onV2 = delivery.byUser.filter(by => by.endsWith('/v2')).length;
    findings.within(`at ${mark}: of ${USERS} users on v2`, binomialBounds(USERS, percent / 100), onV2);
    const left = before.filter((by, user) => by.endsWith('/v2') && !delivery.byUser[user]?.endsWith('/v2'));
    findings.equal(`at ${mark}: users that were on v2 before and are not any more`, 0, left.length);
    before = delivery.byUser;
  }
}
