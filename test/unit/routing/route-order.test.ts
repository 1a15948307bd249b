/** Precedence as the Gateway API has it (HTTPRouteRule and GRPCRouteRule, `matches`). */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { PlacedRoute } from '../../../namerd/routing/index.ts';
import { type Match, matchText, orderedMatches } from '../../../namerd/routing/route-order.ts';

const exact = (value: string) => ({ kind: 'exact', value }) as const;
const prefix = (value: string) => ({ kind: 'prefix', value }) as const;
const regex = (value: string) => ({ kind: 'regex', value }) as const;
const fields = (...names: string[]) => names.map(name => ({ name, kind: 'exact' as const, value: '1' }));
const match = (more: Partial<Match>): Match => ({ headers: [], query: [], ...more });

function route(key: string, rules: Partial<Match>[][], kind: 'http' | 'grpc' = 'http'): PlacedRoute {
  const [namespace = '', name = ''] = key.split('/');
  return {
    metadata: { namespace, name },
    value: {
      kind,
      parents: [],
      rules: rules.map((matches, i) => ({
        name: String(i),
        matches: matches.map(match),
        filters: [],
        backends: [],
      })),
      warnings: [],
    },
  };
}

const order = (...routes: PlacedRoute[]) => orderedMatches(routes).map(({ key, rule }) => `${key}[${rule}]`);

suite('of HTTPRoutes', () => {
  test('exact path, pattern, longest prefix, method, headers, query', () => {
    const best: Partial<Match>[] = [
      { path: exact('/a') },
      { path: regex('/.*') },
      { path: prefix('/a/bc'), headers: [] },
      { path: prefix('/a'), method: 'GET' },
      { path: prefix('/a'), headers: fields('a', 'b') },
      { path: prefix('/a'), headers: fields('a'), query: fields('x', 'y') },
      { path: prefix('/a'), headers: fields('a'), query: fields('x') },
      { path: prefix('/a') },
      { path: prefix('/'), method: 'GET', headers: fields('a', 'b', 'c') },
      { headers: fields('a') },
      {},
    ];
    const worstFirst = best.map(each => [each]).reverse();
    const expected = best.map((_, i) => `n/r[${best.length - 1 - i}]`);
    assert.deepEqual(order(route('n/r', worstFirst)), expected);
  });

  test('equals by age, those of one age by name; one without a date is the oldest, and an exact path goes before all that', () => {
    const dated = (key: string, creationTimestamp: string, path: Match['path'] = prefix('/x')) => {
      const { metadata, value } = route(key, [[{ path }]]);
      return { metadata: { ...metadata, creationTimestamp }, value };
    };
    const routes = [
      dated('n/a', '2026-01-03T00:00:00Z'),
      dated('n/b', '2026-01-02T00:30:00+01:00'),
      dated('n/d', '2026-01-02T00:00:00Z'),
      dated('n/c', '2026-01-02T00:00:00Z'),
      route('n/e', [[{ path: prefix('/x') }]]),
      dated('n/f', '2026-01-09T00:00:00Z', exact('/x')),
    ];
    assert.deepEqual(order(...routes), ['n/f[0]', 'n/e[0]', 'n/b[0]', 'n/c[0]', 'n/d[0]', 'n/a[0]']);
  });

  test('equals by the name of the route, then by their order in it; an exact path with less beats a prefix with more', () => {
    const a = route('n/a', [[{ path: prefix('/x') }], [{ path: prefix('/x') }]]);
    const b = route('n/b', [[{ path: prefix('/x') }], [{ path: exact('/x') }]]);
    assert.deepEqual(order(b, a), ['n/b[1]', 'n/a[0]', 'n/a[1]', 'n/b[0]']);
  });

  test('do not depend on the order in which routes are given', () => {
    const anyMatch = fc.record({
      path: fc.constantFrom(exact('/a'), exact('/b'), prefix('/a'), prefix('/'), regex('/a.*')),
      method: fc.constantFrom(undefined, 'GET'),
      headers: fc.constantFrom(fields(), fields('a'), fields('a', 'b')),
      query: fc.constantFrom(fields(), fields('q')),
    });
    const rules = fc.array(fc.array(anyMatch, { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 3,
    });
    const routes = fc.array(rules, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(routes, fc.infiniteStream(fc.nat()), (all, dice) => {
        const placed = all.map((each, i) => route(`n/r${i}`, each));
        const shuffled = placed
          .map(each => ({ each, at: dice.next().value ?? 0 }))
          .sort((x, y) => x.at - y.at)
          .map(({ each }) => each);
        assert.deepEqual(order(...shuffled), order(...placed));
        assert.equal(order(...placed).length, all.flat(2).length);
      }),
    );
  });
});

test('of GRPCRoutes: service and method, the longest service, any method, headers, any call; before HTTPRoutes', () => {
  const best: Partial<Match>[] = [
    { path: exact('/calc.Division/Divide'), headers: fields('a') },
    { path: exact('/calc.Division/Divide') },
    { path: prefix('/calc.Division') },
    { path: prefix('/calc') },
    { path: regex('/[^/]+/Divide') },
    { path: prefix('/'), headers: fields('a', 'b') },
    { path: prefix('/') },
  ];
  const grpc = route('n/z', best.map(each => [each]).reverse(), 'grpc');
  const http = route('n/a', [[{ path: exact('/calc.Division/Divide') }]]);
  assert.deepEqual(order(http, grpc), [...best.map((_, i) => `n/z[${best.length - 1 - i}]`), 'n/a[0]']);
});

test('equal matches are equal however they are written', () => {
  const text = (more: Partial<Match>, kind?: 'grpc') => {
    const [only] = orderedMatches([route('n/r', [[more]], kind)]);
    assert.ok(only);
    return matchText(only);
  };
  assert.equal(text({ headers: fields('a', 'b') }), text({ headers: fields('b', 'a') }));
  assert.equal(text({}), text({ path: prefix('/') }));
  assert.notEqual(text({ headers: fields('a') }), text({ query: fields('a') }));
  assert.notEqual(text({ path: prefix('/a') }), text({ path: exact('/a') }));
  assert.notEqual(text({}), text({}, 'grpc'));
});
