import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Policy, PolicyAction, TargetMatch } from '#api';
import {
  Authorizer,
  type Caller,
  normalHost,
  type RequestFacts,
} from '../../../../node-proxy/authorize/index.ts';

interface Asked {
  method?: string;
  path?: string;
  host?: string;
  headers?: Record<string, string>;
}

function facts({ method = 'GET', path = '/', host = 'app', headers = {} }: Asked): RequestFacts {
  return { method, path, host, header: name => headers[name] };
}

function caller(request?: RequestFacts, port = 80): Caller {
  return { identity: '', namespace: '', ip: new Uint8Array(4), port, ...(request && { request }) };
}

function authorizer(action: PolicyAction, ...to: TargetMatch[]): Authorizer {
  return new Authorizer([policy('a/b', action, ...to)], { mode: 'permissive', ports: {} });
}

function policy(id: string, action: PolicyAction, ...to: TargetMatch[]): Policy {
  return { id, action, rules: [{ from: [], to }] };
}

const matches = (to: TargetMatch, asked: Asked) =>
  authorizer('ALLOW', to).decide(caller(facts(asked))).allowed;
const refuses = (to: TargetMatch, asked: Asked) =>
  !authorizer('DENY', to).decide(caller(facts(asked))).allowed;

describe('rules about requests', () => {
  it('match methods, hosts and headers, all of them together', () => {
    const to: TargetMatch = {
      methods: ['GET', 'HEAD'],
      hosts: ['*.shop.example', 'shop.example'],
      headers: [{ name: 'x-team', values: ['red', 'blue*'] }],
    };
    const good: Asked = { method: 'HEAD', host: 'eu.shop.example', headers: { 'x-team': 'blue-2' } };
    assert.equal(matches(to, good), true);
    assert.equal(matches(to, { ...good, method: 'POST' }), false);
    assert.equal(matches(to, { ...good, host: 'shop.example.evil' }), false);
    assert.equal(matches(to, { ...good, host: '' }), false);
    assert.equal(matches(to, { ...good, headers: {} }), false);
    assert.equal(matches(to, { ...good, headers: { 'x-team': 'green' } }), false);
  });

  it('match when one of the targets does', () => {
    const allow = authorizer('ALLOW', { methods: ['GET'] }, { paths: ['/open*'] });
    assert.equal(allow.decide(caller(facts({ method: 'POST', path: '/open/x' }))).allowed, true);
    assert.equal(allow.decide(caller(facts({ method: 'POST', path: '/x' }))).allowed, false);
  });

  it('except what the negations name', () => {
    const to: TargetMatch = {
      notMethods: ['DELETE'],
      notHosts: ['internal*'],
      headers: [{ name: 'x-debug', notValues: ['on'] }],
    };
    assert.equal(matches(to, {}), true);
    assert.equal(matches(to, { method: 'DELETE' }), false);
    assert.equal(matches(to, { host: 'internal.example' }), false);
    assert.equal(matches(to, { headers: { 'x-debug': 'on' } }), false);
    assert.equal(matches(to, { headers: { 'x-debug': 'off' } }), true);
  });

  it('ask whether a header is there at all', () => {
    const to: TargetMatch = { headers: [{ name: 'X-Token' }] };
    assert.equal(matches(to, {}), false);
    assert.equal(matches(to, { headers: { 'x-token': '' } }), true);
    assert.equal(
      matches({ headers: [{ name: 'x-token', values: ['*'] }] }, { headers: { 'x-token': '' } }),
      false,
    );
  });

  it('refuse every spelling of what they refuse, and allow one', () => {
    for (const method of ['delete', 'Delete', 'DELETE']) {
      assert.equal(refuses({ methods: ['DELETE'] }, { method }), true);
      assert.equal(matches({ notMethods: ['DELETE'] }, { method }), false);
      assert.equal(matches({ methods: ['DELETE'] }, { method }), method === 'DELETE');
      assert.equal(refuses({ notMethods: ['DELETE'] }, { method }), method !== 'DELETE');
    }
    for (const value of ['on', 'ON', 'off, on', 'on,off']) {
      const headers = { 'x-debug': value };
      assert.equal(refuses({ headers: [{ name: 'x-debug', values: ['on'] }] }, { headers }), true);
      assert.equal(matches({ headers: [{ name: 'x-debug', notValues: ['on'] }] }, { headers }), false);
      assert.equal(matches({ headers: [{ name: 'x-debug', values: ['on'] }] }, { headers }), value === 'on');
    }
    const agent = { 'user-agent': 'Mozilla/5.0 (X11, Linux) like Gecko, and others' };
    assert.equal(
      matches({ headers: [{ name: 'user-agent', values: ['Mozilla/*'] }] }, { headers: agent }),
      true,
    );
  });

  it('match no bytes that are not HTTP to allow or to audit, but to deny', () => {
    const to: TargetMatch = { ports: [80], paths: ['/admin*'] };
    assert.equal(authorizer('ALLOW', to).decide(caller()).allowed, false);
    assert.deepEqual(authorizer('AUDIT', to).decide(caller()).audits, []);
    assert.deepEqual(authorizer('DENY', to).decide(caller()), { allowed: false, rule: 'a/b[0]', audits: [] });
    assert.equal(authorizer('DENY', to).decide(caller(undefined, 81)).allowed, true);
    assert.equal(authorizer('ALLOW', to, { ports: [80] }).decide(caller()).allowed, true);
  });

  it('say whether there are any', () => {
    assert.deepEqual([authorizer('DENY', { ports: [1] }).http, authorizer('DENY', {}).paths], [false, false]);
    assert.deepEqual(
      [authorizer('DENY', { methods: ['GET'] }).http, authorizer('DENY', { methods: ['GET'] }).paths],
      [true, false],
    );
    assert.deepEqual(
      [authorizer('AUDIT', {}, { notPaths: ['/x'] }).http, authorizer('AUDIT', { paths: [] }).paths],
      [true, true],
    );
  });

  it('match nothing with an empty list, everything without', () => {
    for (const field of ['methods', 'paths', 'hosts'] as const)
      assert.equal(matches({ [field]: [] }, {}), false);
    for (const field of ['notMethods', 'notPaths', 'notHosts'] as const)
      assert.equal(matches({ [field]: [] }, {}), true);
    assert.equal(matches({ headers: [] }, {}), true);
  });

  it('name what was audited beside what decided', () => {
    const both = new Authorizer(
      [policy('a/watch', 'AUDIT', { paths: ['/admin*'] }), policy('a/deny', 'DENY', { paths: ['/admin*'] })],
      { mode: 'permissive', ports: {} },
    );
    const decision = both.decide(caller(facts({ path: '/Admin' })));
    assert.deepEqual(decision, { allowed: false, rule: 'a/deny[0]', audits: ['a/watch[0]'] });
    assert.deepEqual(both.decide(caller(facts({ path: '/x' }))), {
      allowed: true,
      rule: 'default',
      audits: [],
    });
  });

  it('never let more through by asking a DENY rule for less, whatever is asked', () => {
    const some = <T>(value: fc.Arbitrary<T>) => fc.array(value, { maxLength: 2 });
    const to: fc.Arbitrary<TargetMatch> = fc.record(
      {
        ports: some(fc.constantFrom(80, 81)),
        methods: some(fc.constantFrom('GET', 'DELETE')),
        notMethods: some(fc.constantFrom('GET', 'DELETE')),
        paths: some(fc.constantFrom('/a*', '/b', '*c')),
        notPaths: some(fc.constantFrom('/a*', '/b', '*c')),
        hosts: some(fc.constantFrom('app', 'x*')),
        headers: some(fc.record({ name: fc.constant('h'), values: some(fc.constantFrom('1', '2*')) })),
      },
      { requiredKeys: [] },
    );
    const asked: fc.Arbitrary<Asked> = fc.record({
      method: fc.constantFrom('GET', 'delete', 'DELETE'),
      path: fc.constantFrom('/', '/a', '/A/c', '/b/', '/x;y/c'),
      host: fc.constantFrom('app', 'xyz', ''),
      headers: fc.constantFrom<Record<string, string>[]>({}, { h: '1' }, { h: '2, 1' }),
    });
    fc.assert(
      fc.property(
        to,
        asked,
        fc.constantFrom(
          ...(Object.keys({
            ports: 0,
            methods: 0,
            notMethods: 0,
            paths: 0,
            notPaths: 0,
            hosts: 0,
            headers: 0,
          }) as (keyof TargetMatch)[]),
        ),
        (to, asked, field) => {
          const { [field]: _, ...less } = to;
          if (refuses(to, asked)) assert.equal(refuses(less, asked), true);
          // What a narrow test takes a wide one takes as well.
          if (to.notMethods === undefined && to.notPaths === undefined && matches(to, asked))
            assert.equal(refuses(to, asked), true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a normal host', () => {
  for (const [authority, host] of [
    ['app', 'app'],
    ['App.Example:8080', 'app.example'],
    ['app.example.', 'app.example'],
    ['app.example.:80', 'app.example'],
    ['app:', 'app'],
    ['my_app:1', 'my_app'],
    ['10.0.0.1:80', '10.0.0.1'],
    ['[FD00::1]:80', '[fd00::1]'],
    ['', ''],
  ] as const) {
    it(`of '${authority}' is '${host}'`, () => assert.equal(normalHost(authority), host));
  }

  for (const authority of [
    'user@app',
    'a%62',
    'a b',
    'a,b',
    'a/b',
    'a\\b',
    'app:x',
    'app:99999',
    'app:1:2',
    '::1',
    '[::1',
    'a..',
    '.',
    'b\u00fcro',
    ':80',
  ]) {
    it(`of '${authority}' is none`, () => assert.equal(normalHost(authority), undefined));
  }

  it('is its own', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.domain(),
          fc.string(),
          fc.ipV6().map(ip => `[${ip}]:1`),
        ),
        text => {
          const host = normalHost(text);
          if (host !== undefined) assert.equal(normalHost(host), host);
        },
      ),
    );
  });
});
