import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import type { FieldMatch, RouteMatch, RouteTable } from '#api';
import { RouteMatcher } from '../../../../../node-proxy/policy/route/index.ts';
import type { RequestView } from '../../../../../node-proxy/policy/view.ts';
import { match, request, table } from '../../../../lib/policy/routes.ts';

describe('the match that decides', () => {
  it('takes a prefix by whole segments, whether or not it ends in a slash', () => {
    for (const value of ['/abc', '/abc/']) {
      const fits = fitsOf({ path: { kind: 'prefix', value } });
      for (const path of ['/abc', '/abc/', '/abc/def', '/abc?x=/abcd', '/abc//']) assert.ok(fits(path), path);
      for (const path of ['/abcd', '/Abc', '/ab', '/', '/x/abc', '/?/abc', '*']) assert.ok(!fits(path), path);
    }
  });

  it('takes an exact path byte by byte, without the query', () => {
    const fits = fitsOf({ path: { kind: 'exact', value: '/abc' } });
    for (const path of ['/abc', '/abc?', '/abc?x=1']) assert.ok(fits(path), path);
    for (const path of ['/abc/', '/Abc', '/abcd', '/ab', '/?/abc', '/abc%3f']) assert.ok(!fits(path), path);
  });

  it('never looks for a path in the query', () => {
    assert.ok(!fitsOf({ path: { kind: 'exact', value: '/a?b' } })('/a?b'));
    assert.ok(!fitsOf({ path: { kind: 'prefix', value: '/a?b' } })('/a?b/c'));
    assert.ok(!fitsOf({ path: { kind: 'regex', value: '/a.*b' } })('/a?b'));
  });

  it('takes every path for a prefix of / and for no path, * of OPTIONS too', () => {
    for (const path of ['/', '/a', '/a/b?c', '*', '//', '']) {
      assert.ok(fitsOf({ path: { kind: 'prefix', value: '/' } })(path), path);
      assert.ok(fitsOf({})(path), path);
    }
  });

  it('compares paths as they were sent, not as a server may read them', () => {
    const fits = fitsOf({ path: { kind: 'prefix', value: '/admin' } });
    for (const path of ['//admin', '/./admin', '/x/../admin', '/%61dmin', '/admin%2fx', '/admin%2Fx']) {
      assert.ok(!fits(path), path);
    }
    for (const path of ['/admin/../x', '/admin/./x', '/admin//x', '/admin/%2e%2e/x'])
      assert.ok(fits(path), path);
  });

  it('takes a pattern for the whole path, with its case', () => {
    const fits = fitsOf({ path: { kind: 'regex', value: '/v[0-9]+/(users|orders)' } });
    assert.ok(fits('/v12/users?x'));
    for (const path of ['/v12/users/', '/v/users', 'x/v1/users', '/V1/users']) assert.ok(!fits(path), path);
  });

  it('asks for the method, as sent', () => {
    const matcher = new RouteMatcher(table([match({ method: 'GET' })]));
    assert.equal(matcher.match(request({ method: 'GET' }))?.index, 0);
    for (const method of ['POST', 'get', 'HEAD']) assert.equal(matcher.match(request({ method })), undefined);
  });

  it('asks for all headers; one that is missing fits nothing', () => {
    const matcher = new RouteMatcher(
      table([match({ headers: [exact('x-a', '1'), { name: 'x-b', kind: 'regex', value: '.*' }] })]),
    );
    assert.equal(matcher.match(request({ headers: { 'x-a': '1', 'x-b': '' } }))?.index, 0);
    for (const headers of [
      { 'x-a': '1' },
      { 'x-b': 'x' },
      { 'x-a': '1, 1', 'x-b': '' },
      { 'x-a': '', 'x-b': '' },
    ]) {
      assert.equal(matcher.match(request({ headers: headers as Record<string, string> })), undefined);
    }
  });

  it('reads the authority where a match names the host', () => {
    const matcher = new RouteMatcher(table([match({ headers: [exact('host', 'shop:80')] })]));
    assert.equal(matcher.match(request({ authority: 'shop:80' }))?.index, 0);
    assert.equal(matcher.match(request({ authority: 'shop', headers: { host: 'shop:80' } })), undefined);
  });

  it('takes the first of several conditions on one name', () => {
    const matcher = new RouteMatcher(
      table([
        match({ headers: [exact('x', '1'), exact('x', '2')], query: [exact('q', '1'), exact('q', '2')] }),
      ]),
    );
    assert.equal(matcher.match(request({ path: '/?q=1', headers: { x: '1' } }))?.index, 0);
    assert.equal(matcher.match(request({ path: '/?q=2', headers: { x: '2' } })), undefined);
  });

  it('gives the first that fits, its action and the prefix it covered', () => {
    const matcher = new RouteMatcher(
      table([
        match({ path: { kind: 'exact', value: '/a/b' } }),
        match({ path: { kind: 'prefix', value: '/a/' }, query: [exact('v', '2')] }),
        match({ path: { kind: 'prefix', value: '/a/' } }),
        match({ path: { kind: 'prefix', value: '/' } }),
      ]),
    );
    const prefixes = ['/a/b', '/a?v=2', '/a/c', '/c'].map(path => matcher.match(request({ path })));
    assert.deepEqual(
      prefixes.map(each => [each?.index, each?.action.id, each?.prefix]),
      [
        [0, 'ns/route[0]', '/a/b'],
        [1, 'ns/route[1]', '/a'],
        [2, 'ns/route[2]', '/a'],
        [3, 'ns/route[3]', ''],
      ],
    );
  });

  it('reads a header once for all the matches that ask for it, and anew for each request', () => {
    const matcher = new RouteMatcher(
      table(['1', '2', '3'].map(value => match({ headers: [exact('x', value)] }))),
    );
    let reads = 0;
    for (const value of ['3', '2', undefined, '1']) {
      reads = 0;
      const view: RequestView = {
        ...request({}),
        header: () => {
          reads += 1;
          return value;
        },
      };
      assert.equal(matcher.match(view)?.index, value === undefined ? undefined : Number(value) - 1);
      assert.equal(reads, 1);
    }
  });

  it('leaves out what it can not read, says so, and follows the rest', () => {
    const { actions, matches } = table([match({ path: { kind: 'regex', value: '(' } }), match({})]);
    const matcher = new RouteMatcher({ actions, matches: [{ ...match({}), action: 9 }, ...matches] });
    assert.equal(matcher.match(request({}))?.index, 2);
    assert.equal(matcher.problems.length, 2);
    assert.match(matcher.problems.join(), /no action 9.*route\[0\]: match 1: .*missing/);
  });
});

describe('tables of any size', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const value = fc.constantFrom('1', '2', '3');
  const segment = fc.constantFrom('a', 'b', 'ab', '', '..', '%61');
  const path = fc.array(segment, { maxLength: 4 }).map(each => `/${each.join('/')}`);
  const field = fc.oneof(
    { weight: 5, arbitrary: fc.record({ name, kind: fc.constant('exact' as const), value }) },
    fc.record({
      name,
      kind: fc.constant('regex' as const),
      value: fc.constantFrom('.*', '1|2', '[23]', '2.*'),
    }),
  );
  const anyMatch: fc.Arbitrary<RouteMatch> = fc.record(
    {
      action: fc.constant(0),
      headers: fc.array(field, { maxLength: 2 }),
      query: fc.array(field, { maxLength: 2 }),
      method: fc.constantFrom('GET', 'POST'),
      path: fc.oneof(
        fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const), value: path }),
        fc.record({
          kind: fc.constant('regex' as const),
          value: fc.constantFrom('/a/.*', '/(a|b)', '.*b', '/a'),
        }),
      ),
    },
    { requiredKeys: ['action', 'headers', 'query'] },
  );
  const anyRequest = fc
    .record({
      method: fc.constantFrom('GET', 'POST'),
      path: fc.oneof({ weight: 9, arbitrary: path }, fc.constantFrom('*', '', 'a')),
      query: fc.oneof(
        fc.constant(''),
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', '%61'), value), { maxLength: 4 }).map(queryOf),
      ),
      headers: fc.dictionary(name, value, { maxKeys: 3 }),
    })
    .map(each => request({ ...each, path: each.path + each.query }));

  for (const [size, runs] of [
    [5, 300],
    [60, 150],
    [400, 30],
  ] as const) {
    it(`of up to ${size} matches answer as the specification reads`, () => {
      fc.assert(
        fc.property(
          fc.array(anyMatch, { minLength: Math.floor(size / 2), maxLength: size, size: 'max' }),
          fc.array(anyRequest, { minLength: 20, maxLength: 40 }),
          (matches, requests) => {
            const routes = table(matches);
            const matcher = new RouteMatcher(routes);
            for (const each of requests) {
              assert.equal(
                matcher.match(each)?.index,
                specified(routes, each),
                `${each.method} ${each.path}`,
              );
            }
          },
        ),
        { numRuns: runs },
      );
    });
  }

  it('answer alike where nothing but one header tells a thousand matches apart', () => {
    const matches = Array.from({ length: 1_000 }, (_, i) =>
      match({ headers: [exact('tenant', `t${i % 900}`)] }),
    );
    const matcher = new RouteMatcher(
      table([...matches, match({ path: { kind: 'prefix', value: '/free' } })]),
    );
    for (const [tenant, path, index] of [
      ['t0', '/free', 0],
      ['t899', '/', 899],
      ['t900', '/free/x', 1_000],
      ['t900', '/', undefined],
    ] as const) {
      assert.equal(matcher.match(request({ path, headers: { tenant } }))?.index, index);
    }
  });
});

/** HTTPRouteMatch as its documentation reads, with nothing prepared. */
function specified({ matches }: RouteTable, view: RequestView): number | undefined {
  const [path = '', ...query] = view.path.split('?');
  const parameters = new URLSearchParams(query.join('?'));
  const found = matches.findIndex(each => {
    if (each.method !== undefined && each.method !== view.method) return false;
    if (each.path?.kind === 'exact' && path !== each.path.value) return false;
    if (each.path?.kind === 'regex' && !RE2JS.compile(each.path.value).matcher(path).matches()) return false;
    if (each.path?.kind === 'prefix') {
      const prefix = each.path.value.replace(/\/$/, '');
      if (prefix !== '' && path !== prefix && !path.startsWith(`${prefix}/`)) return false;
    }
    return (
      fieldsFit(each.headers, name => view.header(name)) &&
      fieldsFit(each.query, name => parameters.get(name) ?? undefined)
    );
  });
  return found < 0 ? undefined : found;
}

function fieldsFit(fields: readonly FieldMatch[], sentIn: (name: string) => string | undefined): boolean {
  const seen = new Set<string>();
  for (const { name, kind, value } of fields) {
    if (seen.has(name)) continue;
    seen.add(name);
    const sent = sentIn(name);
    if (sent === undefined) return false;
    if (kind === 'exact' ? sent !== value : !RE2JS.compile(value).matcher(sent).matches()) return false;
  }
  return true;
}

function fitsOf(given: Partial<RouteMatch>): (path: string) => boolean {
  const matcher = new RouteMatcher(table([match(given)]));
  return path => matcher.match(request({ path })) !== undefined;
}

function exact(name: string, value: string): FieldMatch {
  return { name, kind: 'exact', value };
}

function queryOf(pairs: readonly (readonly [string, string])[]): string {
  return `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`;
}
