/**
 * A policy about requests holds on all four paths, by name and by pod IP, from inside the mesh and from outside, and for
 * whoever speaks HBONE without a proxy. The application is told who calls; nobody can make it believe somebody else.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Delivery, Order } from '../../calculator/courier.ts';
import type { Running } from '../../cluster.ts';
import { CALCULATOR } from '../../inventory.ts';
import type { Stage } from '../../stage.ts';
import { authorization, identity, trafficPolicy } from '../http/documents.ts';
import { described, inForce } from '../http/in-force.ts';
import type { Findings, Scenario } from '../scenario.ts';

const CALLS = 10;
const ALLOW = 'multiplication-requests';
const DENY = 'multiplication-debug';

export const DOCUMENTS = [
  authorization(ALLOW, 'multiplication', {
    rules: [
      {
        from: [{ identities: [identity('mathfanboy'), identity('percentage')] }],
        to: [{ methods: ['POST'], paths: ['/multiplication'] }],
      },
      { from: [{ namespaces: [CALCULATOR] }], to: [{ methods: ['GET'], paths: ['/whoami', '/debug/*'] }] },
      { to: [{ methods: ['GET'], paths: ['/headers'] }] },
    ],
  }),
  authorization(DENY, 'multiplication', { action: 'DENY', rules: [{ to: [{ paths: ['/debug/*'] }] }] }),
  trafficPolicy('multiplication', { server: { forwardClientIdentity: true } }),
];

/** Ways of writing a path that must not lead past a rule. */
const TRICKS = [
  '/whoami/../debug/heap',
  '//debug/heap',
  '/%64ebug/heap',
  '/debug%2fheap',
  '/./debug/heap',
  '/debug/',
];
const FORGED = {
  'x-forwarded-client-cert': `By=${identity('multiplication')};URI=${identity('admin')}`,
  'l5d-dst-service': '/svc/forged',
  'l5d-ctx-dtab': '/svc => /forged',
};

export const scenario: Scenario = {
  number: 15,
  title: 'a policy about methods and paths holds on all four paths, and the application knows its caller',
  async run(stage, findings) {
    const mathfanboy = stage.pod('mathfanboy-1');
    const addition = stage.pod('addition-1');
    const { ip } = stage.pod('multiplication-1').pod;
    const ways = { 'by name': 'http://multiplication.calculator:5003', 'by pod IP': `http://${ip}` };
    const refused = async () =>
      (await stage.order(addition, { url: `${ways['by name']}/multiplication` })).statuses['403'] === 1;
    await inForce(stage, findings, DOCUMENTS, refused, async () => {
      for (const [way, host] of Object.entries(ways)) {
        const ask = (from: Running, path: string, order: Partial<Order> = {}) =>
          stage.order(from, { url: `${host}${path}`, count: CALLS, connections: 2, ...order });
        const get = { method: 'GET' };
        const allowed = (who: string, what: string, delivery: Delivery) =>
          findings.equal(`${who} ${way}: ${what}`, `200 ×${CALLS}`, described(delivery));
        const denied = (who: string, what: string, delivery: Delivery) =>
          findings.equal(`${who} ${way}: ${what}`, `403 ×${CALLS} (policy)`, described(delivery));
        allowed('mathfanboy', 'POST /multiplication', await ask(mathfanboy, '/multiplication'));
        allowed('mathfanboy', 'GET /whoami', await ask(mathfanboy, '/whoami', get));
        denied('mathfanboy', 'POST /whoami', await ask(mathfanboy, '/whoami'));
        denied('addition', 'POST /multiplication', await ask(addition, '/multiplication'));
        allowed('addition', 'GET /whoami', await ask(addition, '/whoami', get));
        const debug = await ask(addition, '/debug/heap', get);
        denied('addition', 'GET /debug/heap', debug);
        names(findings, `addition ${way}: the rule`, `${CALCULATOR}/${DENY}[0]`, debug);
        for (const node of [1, 2] as const) {
          const stranger = stage.stranger(node);
          const who = `a pod outside the mesh on node ${node},`;
          denied(who, 'POST /multiplication', await ask(stranger, '/multiplication'));
          denied(who, 'GET /whoami', await ask(stranger, '/whoami', get));
          allowed(who, 'GET /headers', await ask(stranger, '/headers', get));
        }
        const passed: string[] = [];
        for (const path of TRICKS) {
          const { statuses } = await ask(addition, '/', { path, method: 'GET', count: 1 });
          if (statuses['403'] === undefined && statuses['400'] === undefined)
            passed.push(`${path}: ${Object.keys(statuses)}`);
        }
        findings.none(
          `addition ${way}: of ${TRICKS.length} spellings of /debug that get past the rule`,
          passed,
        );
        for (const [who, caller, expected] of [
          ['mathfanboy', mathfanboy, identity('mathfanboy')],
          ['a pod outside the mesh', stage.stranger(2), undefined],
        ] as const) {
          const { answers } = await ask(caller, '/headers', { ...get, headers: FORGED, count: 1 });
          seenBy(findings, `${who} ${way}`, expected, answers[0]?.body ?? '{}');
        }
      }
      const asked = { url: `${ways['by name']}/headers`, method: 'GET', headers: FORGED };
      const { answers } = await stage.order(mathfanboy, asked);
      const headers = JSON.parse(answers[0]?.body ?? '{}') as Record<string, string>;
      findings.equal(
        'mathfanboy by name: what the application is told was asked for',
        `/svc/${CALCULATOR}/multiplication/http`,
        headers['l5d-dst-service'] ?? 'nothing',
      );
      await withoutProxy(stage, findings);
    });
  },
};

/** A refusal says which rule decided. */
function names(findings: Findings, what: string, rule: string, { answers }: Delivery): void {
  const body = answers[0]?.body ?? '';
  findings.add(`${what} that the refusal names`, rule, body.split('\n', 1)[0] ?? '', body.includes(rule));
}

/** What the application was told of its caller, who claimed to be somebody else. */
function seenBy(findings: Findings, who: string, expected: string | undefined, body: string): void {
  const headers = JSON.parse(body) as Record<string, string>;
  const told = expected === undefined ? 'nobody' : `URI=${expected}`;
  const said = headers['x-forwarded-client-cert']?.replace(`By=${identity('multiplication')};`, '');
  findings.equal(`${who}, who forges it: caller as the application is told`, told, said ?? 'nobody');
  const forged = Object.entries(headers).filter(([, value]) => value.includes('forged'));
  findings.none(
    `${who}: forged l5d-* headers that arrive`,
    forged.map(([name]) => name),
  );
}

/** With addition's certificate, but without a proxy in between, from a pod that nothing captures. */
async function withoutProxy(stage: Stage, findings: Findings): Promise<void> {
  const file = join(stage.folder, 'addition.json');
  writeFileSync(file, JSON.stringify(await stage.mesh.namerd.certificate(identity('addition'))), {
    mode: 0o600,
  });
  const { ip } = stage.pod('multiplication-1').pod;
  const asked = ['POST', '/multiplication', 'GET', '/whoami', 'GET', '/debug/heap'];
  const answers = await stage.speakHbone(stage.stranger(1), [file, ip, '80', ...asked]);
  const seen = answers.map(({ connected, status }) => (connected === 200 ? status : `CONNECT ${connected}`));
  findings.equal(
    'addition, speaking HBONE itself: POST /multiplication, GET /whoami, GET /debug/heap',
    '403, 200, 403',
    seen.join(', '),
  );
}
