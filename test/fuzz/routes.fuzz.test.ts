/** Route documents of plausible and implausible parts: whatever is read keeps what the proxies rely on. Bounded. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import type { RouteFilter } from '#api';
import type { RouteDocument } from '../../namerd/resources/index.ts';
import { readSpec } from '../lib/documents/read-spec.ts';

const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    '',
    '/',
    '/a',
    '/a/b/',
    '//',
    '/a/../b',
    '/%2f',
    'a',
    'A-b',
    'host',
    'l5d-dtab',
    'x\r\ny: z',
  ),
  fc.constantFrom(
    '1s',
    '500ms',
    '0s',
    '1h1h',
    '1',
    '[',
    '(a|b)+',
    'a{600}',
    '(?=x)',
    'GET',
    'get',
    'default',
  ),
);
/** One of these, now and then anything. */
const mostly = (...good: readonly string[]) =>
  fc.oneof({ weight: 15, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: text });
const name = mostly('a', 'B-c', 'x_y', 'version');
const value = mostly('1', 'a b', 'v[12]', '.*');
const place = mostly('/', '/a', '/a/b/', '/c%20d');
const hostname = mostly('a', 'a.example');
const duration = mostly('0s', '1s', '500ms', '1h1m');
const port = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: -1, max: 70_000 }) },
  { weight: 9, arbitrary: fc.constant(80) },
);
const sometimes = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
const list = <T>(arbitrary: fc.Arbitrary<T>) => sometimes(fc.array(arbitrary, { maxLength: 3 }));
const field = fc.record(
  { name, value, type: fc.constantFrom('Exact', 'RegularExpression') },
  { requiredKeys: ['name', 'value'] },
);
const change = fc.record({ set: list(field), add: list(field), remove: list(mostly('r', 'S')) });
const path = sometimes(
  fc.oneof(
    fc.record({ type: fc.constant('ReplaceFullPath'), replaceFullPath: place }),
    fc.record({ type: fc.constant('ReplacePrefixMatch'), replacePrefixMatch: place }),
  ),
);
const filter = fc.oneof(
  fc.record({ type: fc.constant('RequestHeaderModifier'), requestHeaderModifier: change }),
  fc.record({ type: fc.constant('ResponseHeaderModifier'), responseHeaderModifier: change }),
  fc.record({
    type: fc.constant('URLRewrite'),
    urlRewrite: fc.record({ hostname: sometimes(hostname), path }),
  }),
  fc.record({
    type: fc.constant('RequestRedirect'),
    requestRedirect: fc.record({ hostname: sometimes(hostname), path, port: sometimes(port) }),
  }),
);
const backend = fc.record({
  name: mostly('svc'),
  port,
  weight: sometimes(fc.nat(3)),
  filters: list(filter),
});
const timeouts = sometimes(fc.record({ request: sometimes(duration), backendRequest: sometimes(duration) }));
const httpMatch = fc.record({
  path: sometimes(
    fc.record({ type: fc.constantFrom('Exact', 'PathPrefix', 'RegularExpression'), value: place }),
  ),
  method: sometimes(mostly('GET', 'POST')),
  headers: list(field),
  queryParams: list(field),
});
const grpcMatch = fc.record({
  method: sometimes(
    fc.record({
      type: fc.constantFrom('Exact', 'RegularExpression'),
      service: sometimes(mostly('a.B', 'c')),
      method: sometimes(mostly('Get', 'Set')),
    }),
  ),
  headers: list(field),
});
const parents = fc.array(fc.record({ kind: fc.constantFrom('Service', 'Gateway'), name: mostly('a', 'b') }), {
  minLength: 1,
  maxLength: 2,
});
const spec = (match: fc.Arbitrary<object>, more: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({
    parentRefs: parents,
    rules: fc.array(
      fc.record({ matches: list(match), filters: list(filter), backendRefs: list(backend), ...more }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
  });

/** As a writer leaves them out. */
const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const LINE = /[\r\n\0]/;

function checkFilter(filter: RouteFilter): void {
  if (filter.kind === 'redirect' || filter.kind === 'rewrite') {
    if (filter.path !== undefined) assert.match(filter.path.value, /^\/[!-~]*$/);
    if (filter.hostname !== undefined) assert.match(filter.hostname, /^[a-z0-9.-]+$/);
    return;
  }
  const names = [
    ...filter.set.map(({ name }) => name),
    ...filter.add.map(({ name }) => name),
    ...filter.remove,
  ];
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.doesNotMatch(name, /^(host|l5d-.*)$|[^!-~]|[A-Z]/);
  for (const { value } of [...filter.set, ...filter.add]) assert.ok(value !== '' && !LINE.test(value));
}

function checkRoute({ parents, rules }: RouteDocument): void {
  assert.ok(parents.length > 0 && rules.length > 0);
  for (const rule of rules) {
    assert.ok(rule.matches.length > 0);
    for (const { path, headers, query } of rule.matches) {
      if (path?.kind === 'regex') RE2JS.compile(path.value);
      else assert.match(path?.value ?? '', /^\/[!-~]*$/);
      if (path?.kind === 'prefix') assert.ok(path.value === '/' || !path.value.endsWith('/'));
      for (const { kind, value } of [...headers, ...query]) if (kind === 'regex') RE2JS.compile(value);
      for (const { name } of headers) assert.equal(name, name.toLowerCase());
      assert.equal(new Set(headers.map(({ name }) => name)).size, headers.length);
    }
    const filters = [...rule.filters, ...rule.backends.flatMap(backend => backend.filters)];
    filters.forEach(checkFilter);
    const redirects = filters.some(({ kind }) => kind === 'redirect');
    assert.ok(!redirects || rule.backends.length === 0);
    for (const { port, weight } of rule.backends) assert.ok(port >= 1 && port <= 65_535 && weight >= 0);
    const { requestMs = 0, backendRequestMs = 0 } = rule;
    assert.ok(requestMs === 0 || backendRequestMs <= requestMs);
  }
}

for (const [kind, arbitrary] of [
  ['HTTPRoute', spec(httpMatch, { timeouts })],
  ['GRPCRoute', spec(grpcMatch, {})],
] as const)
  test(`whatever a ${kind} says, it is refused with places, or safe to follow`, () => {
    let read = 0;
    fc.assert(
      fc.property(arbitrary, written => {
        const { value, problems } = readSpec(kind, withoutUndefined(written));
        assert.equal(value === undefined, problems.length > 0);
        for (const problem of problems) assert.match(problem, /^f\.yaml:\d+:\d+: spec/);
        if (value === undefined) return;
        read++;
        checkRoute(value);
      }),
      { numRuns: 500 },
    );
    assert.ok(read > 10, `only ${read} were good`);
  });
