/** `l5d-dtab` sends a single request elsewhere, for those who may; from anybody else it is removed and counted. */

import type { Running } from '../../cluster.ts';
import { ADDITION_V2 } from '../../inventory.ts';
import { sum } from '../../mesh/metrics.ts';
import { identity, trafficPolicy } from '../http/documents.ts';
import { byVersion, described, inForce } from '../http/in-force.ts';
import type { Scenario } from '../scenario.ts';

const HOST = 'http://addition.calculator:5001';
const CALLS = 20;
const DTAB = '/svc/calculator/addition => /#/registry/calculator/addition-v2';
const HEADERS = { 'l5d-dtab': DTAB };

export const OVERRIDE = trafficPolicy('addition', {
  dtabOverride: { from: [{ identities: [identity('mathfanboy')] }] },
});

export const scenario: Scenario = {
  number: 18,
  title: 'l5d-dtab is followed from mathfanboy, and removed from anybody else',
  needs: [ADDITION_V2],
  async run(stage, findings) {
    const allowed = stage.pod('mathfanboy-1');
    const other = stage.pod('multiplication-1');
    const ask = (from: Running, headers: Record<string, string> = {}) =>
      stage.order(from, { url: `${HOST}/addition`, count: CALLS, headers });
    const removed = async () =>
      sum(await stage.samples(), 'nodemesh_reserved_headers_removed_total', {
        service: 'calculator/addition',
      });
    const holds = async () => byVersion(await ask(allowed, HEADERS), 'v2') > 0;
    await inForce(stage, findings, [OVERRIDE], holds, async () => {
      const followed = await ask(allowed, HEADERS);
      findings.equal(
        'mathfanboy with it',
        `200 ×${CALLS}, ${CALLS} by v2`,
        `${described(followed)}, ${byVersion(followed, 'v2')} by v2`,
      );
      const without = await ask(allowed);
      findings.equal(
        'mathfanboy without it',
        `200 ×${CALLS}, 0 by v2`,
        `${described(without)}, ${byVersion(without, 'v2')} by v2`,
      );
      const before = await removed();
      const ignored = await ask(other, HEADERS);
      findings.equal(
        'multiplication with it',
        `200 ×${CALLS}, 0 by v2`,
        `${described(ignored)}, ${byVersion(ignored, 'v2')} by v2`,
      );
      findings.equal('removed, by the metrics', CALLS, (await removed()) - before);
      for (const [who, from] of [
        ['mathfanboy', allowed],
        ['multiplication', other],
      ] as const) {
        const { answers } = await stage.order(from, {
          url: `${HOST}/headers`,
          method: 'GET',
          headers: HEADERS,
        });
        const headers = JSON.parse(answers[0]?.body ?? '{}') as Record<string, string>;
        findings.equal(
          `what addition sees of ${who}'s l5d-dtab`,
          'nothing',
          headers['l5d-dtab'] ?? 'nothing',
        );
      }
      const bad = await stage.order(allowed, {
        url: `${HOST}/addition`,
        headers: { 'l5d-dtab': '/svc => ' },
      });
      findings.equal('one that is no dtab, from mathfanboy', '400 ×1 (bad_dtab)', described(bad));
    });
  },
};
