/** WebSocket goes through: after the handshake it is bytes, in both directions, on one node and across the wire. */

import { ADDITION_V2 } from '../../inventory.ts';
import { sum } from '../../mesh/metrics.ts';
import { backend, httpRoute } from '../http/documents.ts';
import { byVersion, inForce } from '../http/in-force.ts';
import type { Scenario } from '../scenario.ts';

const HOST = 'addition.calculator:5001';
const MESSAGES = ['hello', 'ä'.repeat(10_000), 'bye'];

export const BY_PATH = httpRoute('addition', [
  {
    matches: [
      { headers: [{ name: 'x-preview', value: 'yes' }] },
      { queryParams: [{ name: 'v', value: '2' }] },
    ],
    backendRefs: [backend('addition-v2', 5001)],
  },
  { backendRefs: [backend('addition', 5001)] },
]);

export const scenario: Scenario = {
  number: 17,
  title: 'WebSocket goes through',
  needs: [ADDITION_V2],
  async run(stage, findings) {
    const caller = stage.pod('mathfanboy-1');
    const holds = async () => {
      const order = { url: `http://${HOST}/addition`, headers: { 'x-preview': 'yes' } };
      return byVersion(await stage.order(caller, order), 'v2') === 1;
    };
    const switched = async () =>
      sum(await stage.samples(), 'nodemesh_requests_total', {
        reporter: 'source',
        destination_service: 'calculator/addition',
        status_class: '1xx',
      });
    await inForce(stage, findings, [BY_PATH], holds, async () => {
      const before = await switched();
      for (const [where, query] of [
        ['on the same node', ''],
        ['across the wire', '?v=2'],
      ] as const) {
        const answers = await stage.converse(caller, `ws://${HOST}/echo${query}`, MESSAGES);
        const same = MESSAGES.filter((message, i) => answers[i] === message).length;
        findings.equal(`${where}: messages that come back as they were`, MESSAGES.length, same);
        findings.equal(`${where}: the end`, 'closed 1000', answers.at(-1) ?? '–');
      }
      findings.equal('requests answered with 101, by the metrics', 2, (await switched()) - before);
    });
  },
};
