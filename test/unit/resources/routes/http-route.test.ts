import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, goodSpec, readSpec } from '../../../lib/documents/read-spec.ts';

const PARENT = { group: '', kind: 'Service', name: 'division' };
const BACKEND = { name: 'division', port: 80 };

/** A route with one rule. */
const route = (rule: object) => ({ parentRefs: [PARENT], rules: [rule] });
const rule = (spec: object) => goodSpec('HTTPRoute', route(spec)).rules[0];
const refused = (spec: object, message: RegExp) => assertRefused('HTTPRoute', route(spec), message);

test('what is left out has the defaults of the Gateway API', () => {
  assert.deepEqual(goodSpec('HTTPRoute', route({ backendRefs: [BACKEND] })), {
    kind: 'http',
    parents: [{ namespace: 'calc', service: 'division' }],
    rules: [
      {
        name: '0',
        matches: [{ path: { kind: 'prefix', value: '/' }, headers: [], query: [] }],
        filters: [],
        backends: [{ namespace: 'calc', service: 'division', port: 80, weight: 1, filters: [] }],
      },
    ],
    warnings: [],
  });
});

test('every part of a match is read; names of headers mean the same in any case', () => {
  const matches = [
    {
      path: { type: 'Exact', value: '/a' },
      method: 'POST',
      headers: [
        { name: 'X-User', value: 'a b' },
        { name: 'accept', type: 'RegularExpression', value: 'text/.*' },
      ],
      queryParams: [
        { name: 'Q', value: 'ä' },
        { name: 'r', type: 'RegularExpression', value: '[0-9]+' },
      ],
    },
    { path: { value: '/b/' } },
    { path: { type: 'RegularExpression', value: '/c/[^/]+' } },
    { method: 'GET' },
  ];
  assert.deepEqual(rule({ matches, backendRefs: [BACKEND] })?.matches, [
    {
      path: { kind: 'exact', value: '/a' },
      method: 'POST',
      headers: [
        { name: 'x-user', kind: 'exact', value: 'a b' },
        { name: 'accept', kind: 'regex', value: 'text/.*' },
      ],
      query: [
        { name: 'Q', kind: 'exact', value: 'ä' },
        { name: 'r', kind: 'regex', value: '[0-9]+' },
      ],
    },
    { path: { kind: 'prefix', value: '/b' }, headers: [], query: [] },
    { path: { kind: 'regex', value: '/c/[^/]+' }, headers: [], query: [] },
    { path: { kind: 'prefix', value: '/' }, method: 'GET', headers: [], query: [] },
  ]);
});

test('of two entries for one header or parameter the first counts, with a warning', () => {
  const headers = [
    { name: 'a', value: '1' },
    { name: 'A', value: '2' },
  ];
  const queryParams = [...headers, { name: 'a', value: '3' }];
  const { rules, warnings } = goodSpec(
    'HTTPRoute',
    route({ matches: [{ headers, queryParams }], backendRefs: [BACKEND] }),
  );
  assert.deepEqual(rules[0]?.matches[0]?.headers, [{ name: 'a', kind: 'exact', value: '1' }]);
  assert.deepEqual(
    rules[0]?.matches[0]?.query.map(({ name, value }) => name + value),
    ['a1', 'A2'],
  );
  assert.deepEqual(warnings, [
    "spec.rules[0].matches[0].headers[1]: 'a' stands here twice: the first entry counts",
    "spec.rules[0].matches[0].queryParams[2]: 'a' stands here twice: the first entry counts",
  ]);
});

test('timeouts and retries are those of GEP-1742 and GEP-1731', () => {
  const timed = rule({
    backendRefs: [BACKEND],
    timeouts: { request: '1m30s', backendRequest: '500ms' },
    retry: { codes: [503, 500, 503], attempts: 3, backoff: '1s' },
  });
  assert.equal(timed?.requestMs, 90_000);
  assert.equal(timed?.backendRequestMs, 500);
  assert.deepEqual(timed?.retry, { codes: [503, 500], attempts: 3, backoffMs: 1_000 });
  // Zero is no timeout, so that nothing can be longer.
  const none = rule({ backendRefs: [BACKEND], timeouts: { request: '0s', backendRequest: '1h' } });
  assert.deepEqual([none?.requestMs, none?.backendRequestMs], [0, 3_600_000]);
  const bare = goodSpec('HTTPRoute', route({ backendRefs: [BACKEND], retry: {} }));
  assert.deepEqual(bare.rules[0]?.retry, { codes: [], attempts: 1, backoffMs: 0 });
  assert.match(bare.warnings.join(), /rules\[0\]\.retry: without 'codes' only requests without a response/);
});

test('backends have shares, namespaces and filters of their own', () => {
  const set = [{ name: 'X-A', value: 'b' }];
  const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set } }];
  const backendRefs = [
    { group: '', kind: 'Service', name: 'a', namespace: 'other', port: 8080, weight: 0, filters },
    { group: 'core', name: 'b', port: 1, weight: 1_000_000 },
  ];
  assert.deepEqual(rule({ backendRefs })?.backends, [
    {
      namespace: 'other',
      service: 'a',
      port: 8080,
      weight: 0,
      filters: [{ kind: 'requestHeaders', set: [{ name: 'x-a', value: 'b' }], add: [], remove: [] }],
    },
    { namespace: 'calc', service: 'b', port: 1, weight: 1_000_000, filters: [] },
  ]);
});

test('parents are Services; others are ignored with a warning', () => {
  const { parents, warnings } = goodSpec('HTTPRoute', {
    parentRefs: [
      PARENT,
      { kind: 'Service', name: 'a', namespace: 'other', port: 80 },
      { group: 'core', kind: 'Service', name: 'a', sectionName: 'http' },
      { name: 'public', namespace: 'infra' },
      { group: 'x.io', kind: 'Mesh', name: 'm' },
    ],
    hostnames: ['a.example'],
    useDefaultGateways: 'All',
    rules: [{ backendRefs: [BACKEND] }],
  });
  assert.deepEqual(parents, [
    { namespace: 'calc', service: 'division' },
    { namespace: 'other', service: 'a', port: 80 },
    { namespace: 'calc', service: 'a', sectionName: 'http' },
  ]);
  assert.deepEqual(warnings, [
    'spec.parentRefs[3]: the parent of kind Gateway is ignored: routes of the mesh belong to a Service',
    'spec.parentRefs[4]: the parent of kind x.io/Mesh is ignored: routes of the mesh belong to a Service',
    'spec.hostnames: hostnames are ignored for Services (GEP-1294); match the header host instead',
    'spec.useDefaultGateways: ignored: the mesh has no Gateways',
  ]);
});

test('what answers with 500 is told', () => {
  const warnings = (spec: object) => goodSpec('HTTPRoute', route(spec)).warnings.join();
  assert.match(warnings({}), /rules\[0\]: neither backendRefs nor a RequestRedirect/);
  assert.match(warnings({ backendRefs: [{ ...BACKEND, weight: 0 }] }), /all weights are 0/);
});

test('rules keep their names', () => {
  const rules = [{ name: 'a', backendRefs: [BACKEND] }, { backendRefs: [BACKEND] }];
  const value = goodSpec('HTTPRoute', { parentRefs: [PARENT], rules });
  assert.deepEqual(
    value.rules.map(({ name }) => name),
    ['a', '1'],
  );
});

const many = (count: number, entry: object) =>
  Array.from({ length: count }, (_, i) => ({ ...entry, name: `n${i}` }));

test('routes that contradict the specification are refused', () => {
  const cases: [unknown, RegExp][] = [
    [{ rules: [{ backendRefs: [BACKEND] }] }, /'parentRefs' is missing/],
    [{ parentRefs: [PARENT] }, /'rules' is missing/],
    [{ parentRefs: [PARENT], rules: [] }, /at least one rule/],
    [{ parentRefs: [PARENT], rules: null }, /'rules' is missing/],
    [{ parentRefs: [], rules: [{ backendRefs: [BACKEND] }] }, /no parent is a Service/],
    [{ parentRefs: [{ name: 'gateway' }], rules: [{ backendRefs: [BACKEND] }] }, /no parent is a Service/],
    [
      { parentRefs: [PARENT, { ...PARENT, namespace: 'calc' }], rules: [{ backendRefs: [BACKEND] }] },
      /stands here twice/,
    ],
    [{ parentRefs: [{ ...PARENT, name: 'A' }], rules: [{ backendRefs: [BACKEND] }] }, /no DNS-1123 label/],
    [{ parentRefs: [{ ...PARENT, port: 0 }], rules: [{ backendRefs: [BACKEND] }] }, /out of range/],
    [{ parentRefs: [PARENT], rules: many(17, { backendRefs: [BACKEND] }) }, /17 rules: at most 16/],
    [{ ...route({ backendRefs: [BACKEND] }), hostname: 'x' }, /unknown field 'hostname'/],
    [
      { parentRefs: [PARENT], rules: [1, 2].map(() => ({ name: 'a', backendRefs: [BACKEND] })) },
      /a rule is named 'a' already/,
    ],
    [
      {
        parentRefs: [PARENT],
        rules: many(3, {
          matches: Array.from({ length: 43 }, () => ({ method: 'GET' })),
          backendRefs: [BACKEND],
        }),
      },
      /129 matches in all rules: at most 128/,
    ],
  ];
  for (const [spec, message] of cases) assertRefused('HTTPRoute', spec, message);
});

test('rules that contradict the specification, or ask for what is not there, are refused', () => {
  const match = (spec: object) => ({ matches: [spec], backendRefs: [BACKEND] });
  const path = (value: unknown, type = 'PathPrefix') => match({ path: { type, value } });
  const header = (spec: object) => match({ headers: [spec] });
  const cases: [object, RegExp][] = [
    [{ backendRefs: [BACKEND], sessionPersistence: {} }, /'sessionPersistence' is not supported: .*ringHash/],
    [{ backendRefs: [BACKEND], matches: null }, /'matches' has no value/],
    [{ backendRefs: [{ name: 'a' }] }, /'port' is missing/],
    [{ backendRefs: [{ ...BACKEND, weight: -1 }] }, /out of range/],
    [{ backendRefs: [{ ...BACKEND, kind: 'ServiceImport' }] }, /kind ServiceImport is not supported/],
    [{ backendRefs: many(17, BACKEND) }, /17 backends/],
    [path('a'), /'a' is no path: it begins with '\/'/],
    [path('/a//b'), /'\/\/' can't be/],
    [path('/a/./b', 'Exact'), /'\.' and '\.\.'/],
    [path('/a/..'), /'\.' and '\.\.'/],
    [path('/a%2Fb'), /%2f/],
    [path('/a?b=c'), /no query/],
    [path('/a#b'), /no query and no fragment/],
    [path('/ä'), /percent-encoded/],
    [path('/a%zz'), /percent-encoded/],
    [path(`/${'a'.repeat(1_024)}`), /1025 characters/],
    [path('/x', 'Prefix'), /not one of Exact, PathPrefix, RegularExpression/],
    [path('(', 'RegularExpression'), /no regular expression/],
    [match({ path: { type: 'RegularExpression' } }), /'value' is missing/],
    [match({ method: 'get' }), /'get' is not one of GET/],
    [header({ name: ':method', value: 'x' }), /no name of a header/],
    [header({ name: 'a b', value: 'x' }), /no name of a header/],
    [header({ name: 'a', value: '' }), /at least one character/],
    [header({ name: 'a', value: 'x\r\ny: z' }), /no line breaks/],
    [header({ name: 'a', value: ' x' }), /no blanks at its ends/],
    [header({ name: 'a' }), /'value' is missing/],
    [match({ headers: many(17, { value: 'x' }) }), /17 headers/],
    [
      { matches: Array.from({ length: 65 }, () => ({ method: 'GET' })), backendRefs: [BACKEND] },
      /65 matches/,
    ],
    [{ backendRefs: [BACKEND], timeouts: { request: '1s', backendRequest: '2s' } }, /longer than 'request'/],
    [{ backendRefs: [BACKEND], timeouts: { request: 1 } }, /a number needs its unit/],
    [{ backendRefs: [BACKEND], retry: { codes: [200] } }, /out of range: 400 to 599/],
    [{ backendRefs: [BACKEND], retry: { attempts: 101 } }, /out of range/],
  ];
  for (const [spec, message] of cases) refused(spec, message);
});

test('a route has a limited number of patterns', () => {
  const headers = many(16, { type: 'RegularExpression', value: 'x' });
  const rules = many(9, { matches: [{ headers }], backendRefs: [BACKEND] });
  assertRefused(
    'HTTPRoute',
    { parentRefs: [PARENT], rules },
    /more than 128 regular expressions in one route/,
  );
});

test('all problems are told at once', () => {
  const { problems } = readSpec('HTTPRoute', {
    parentRefs: [{ ...PARENT, name: '-' }],
    rules: [{ matches: [{ path: { value: 'x' }, method: 'no' }], backendRefs: [{ name: 'a' }], x: 1 }],
  });
  assert.equal(problems.length, 5, problems.join('\n'));
});
