/** Requests go where their headers, parameters and paths say, by an HTTPRoute. */

import type { Delivery, Order } from '../../calculator/courier.ts';
import { ADDITION_V2 } from '../../inventory.ts';
import { backend, httpRoute } from '../http/documents.ts';
import { byVersion, described, inForce } from '../http/in-force.ts';
import type { Scenario } from '../scenario.ts';

const V1 = backend('addition', 5001);
const V2 = backend('addition-v2', 5001);
/** The most special path decides before headers and parameters do: so it stands in every rule that they are to tell apart. */
const PATH = { type: 'PathPrefix', value: '/addition' };

export const ROUTES = httpRoute('addition', [
  {
    name: 'preview',
    matches: [
      { path: PATH, headers: [{ name: 'x-preview', value: 'yes' }] },
      { path: PATH, queryParams: [{ name: 'version', type: 'RegularExpression', value: 'v?2(\\.[0-9]+)?' }] },
    ],
    filters: [
      {
        type: 'ResponseHeaderModifier',
        responseHeaderModifier: { set: [{ name: 'x-preview', value: 'served' }] },
      },
    ],
    backendRefs: [V2],
  },
  {
    name: 'second',
    matches: [{ path: { type: 'PathPrefix', value: '/v2' } }],
    filters: [
      { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } },
      {
        type: 'RequestHeaderModifier',
        requestHeaderModifier: { set: [{ name: 'x-api', value: 'v2' }], remove: ['x-debug'] },
      },
    ],
    backendRefs: [V2],
  },
  {
    name: 'moved',
    matches: [{ path: { type: 'Exact', value: '/add' } }],
    filters: [
      {
        type: 'RequestRedirect',
        requestRedirect: {
          path: { type: 'ReplaceFullPath', replaceFullPath: '/addition' },
          statusCode: 308,
        },
      },
    ],
  },
  { name: 'calculations', matches: [{ path: PATH }], backendRefs: [V1] },
]);

const HOST = 'http://addition.calculator:5001';
const CALLS = 20;

export const scenario: Scenario = {
  number: 11,
  title: 'an HTTPRoute sends requests by header, parameter and path',
  needs: [ADDITION_V2],
  async run(stage, findings) {
    const caller = stage.pod('mathfanboy-1');
    const ask = (path: string, order: Partial<Order> = {}) =>
      stage.order(caller, { url: `${HOST}${path}`, count: CALLS, connections: 2, ...order });
    const all = (what: string, version: string, delivery: Delivery) => {
      const seen = `${described(delivery)}, ${byVersion(delivery, version)} by ${version}`;
      findings.equal(what, `200 ×${CALLS}, ${CALLS} by ${version}`, seen);
    };
    const preview = { 'x-preview': 'yes' };
    const holds = async () => byVersion(await ask('/addition', { headers: preview, count: 1 }), 'v2') === 1;
    await inForce(stage, findings, [ROUTES], holds, async () => {
      all('without a mark', 'v1', await ask('/addition'));
      const previewed = await ask('/addition', { headers: preview });
      all('with the header x-preview: yes', 'v2', previewed);
      findings.equal('header of its response', 'served', previewed.answers[0]?.headers['x-preview'] ?? '–');
      all('with x-preview: no', 'v1', await ask('/addition', { headers: { 'x-preview': 'no' } }));
      all('with ?version=2.1', 'v2', await ask('/addition?version=2.1'));
      all('with ?version=21', 'v1', await ask('/addition?version=21'));
      all('path /v2/addition, rewritten to /addition', 'v2', await ask('/v2/addition'));
      const shown = await ask('/v2/headers', { body: '', count: 1, headers: { 'x-debug': '1' } });
      const headers = JSON.parse(shown.answers[0]?.body ?? '{}') as Record<string, string>;
      findings.equal(
        'x-api and x-debug, as its application sees them',
        'v2, –',
        `${headers['x-api'] ?? '–'}, ${headers['x-debug'] ?? '–'}`,
      );
      const moved = await ask('/add?x=1', { count: 1 });
      const location = moved.answers[0]?.headers['location'] ?? '–';
      findings.equal(
        'path /add',
        `308 to ${HOST}/addition?x=1`,
        `${moved.answers[0]?.status} to ${location}`,
      );
      findings.equal(
        'a request that no rule fits',
        '404 ×1 (no_route)',
        described(await ask('/subtraction', { count: 1 })),
      );
    });
  },
};
