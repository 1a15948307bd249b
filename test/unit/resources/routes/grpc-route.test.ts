import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from 're2js';
import { assertRefused, goodSpec } from '../../../lib/documents/read-spec.ts';

const BACKENDS = [{ name: 'division', port: 5002 }];
const route = (rule: object) => ({
  parentRefs: [{ group: '', kind: 'Service', name: 'division' }],
  rules: [rule],
});
const match = (spec: object) => route({ matches: [spec], backendRefs: BACKENDS });
const pathOf = (method: object) => goodSpec('GRPCRoute', match({ method })).rules[0]?.matches[0]?.path;

test('methods are paths', () => {
  assert.deepEqual(pathOf({ service: 'calc.Division', method: 'Divide' }), {
    kind: 'exact',
    value: '/calc.Division/Divide',
  });
  assert.deepEqual(pathOf({ service: 'calc.Division', method: '' }), {
    kind: 'prefix',
    value: '/calc.Division',
  });
  assert.deepEqual(pathOf({ type: 'Exact', method: 'Divide' }), { kind: 'regex', value: '/[^/]+/Divide' });
  assert.deepEqual(pathOf({ type: 'RegularExpression', service: 'a|b' }), {
    kind: 'regex',
    value: '/(?:a|b)/(?:[^/]+)',
  });
});

test('alternatives of a pattern stay within their part of the path', () => {
  const path = pathOf({ type: 'RegularExpression', service: 'a|b', method: 'Get.*|Set' });
  const fits = (text: string) => RE2JS.matches(path?.value ?? '', text);
  assert.ok(fits('/a/GetX') && fits('/b/Set'));
  assert.ok(!fits('/a') && !fits('/c/Set') && !fits('/a/x/Set') && !fits('/a/SetX'));
});

test('a rule without matches, or a match without method, fits every call', () => {
  const any = { kind: 'prefix', value: '/' };
  const value = goodSpec('GRPCRoute', route({ backendRefs: BACKENDS }));
  assert.equal(value.kind, 'grpc');
  assert.deepEqual(value.rules[0]?.matches, [{ path: any, headers: [], query: [] }]);
  const headers = [{ name: 'Version', value: '2' }];
  assert.deepEqual(goodSpec('GRPCRoute', match({ headers })).rules[0]?.matches, [
    { path: any, headers: [{ name: 'version', kind: 'exact', value: '2' }], query: [] },
  ]);
});

test('what a GRPCRoute has not, or what is no method, is refused', () => {
  const method = (spec: object) => match({ method: spec });
  const cases: [object, RegExp][] = [
    [method({}), /give 'service' or 'method' or both/],
    [method({ service: '' }), /give 'service' or 'method' or both/],
    [method({ service: 'a/b' }), /no service of gRPC/],
    [method({ service: 'a..b' }), /no service of gRPC/],
    [method({ method: 'a.b' }), /no method of gRPC/],
    [method({ type: 'RegularExpression', service: '(' }), /no regular expression/],
    [method({ type: 'RegularExpression', service: '\\Qa', method: 'b' }), /no regular expression/],
    [method({ type: 'RegularExpression', service: 'a'.repeat(300), method: 'b'.repeat(300) }), /too large/],
    [match({ path: { value: '/' } }), /unknown field 'path'/],
    [match({ queryParams: [] }), /unknown field 'queryParams'/],
    [route({ backendRefs: BACKENDS, timeouts: { request: '1s' } }), /unknown field 'timeouts'/],
    [route({ backendRefs: BACKENDS, sessionPersistence: {} }), /'sessionPersistence' is not supported/],
    [
      route({ backendRefs: BACKENDS, filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'a' } }] }),
      /URLRewrite is not supported in a GRPCRoute/,
    ],
    [
      route({ backendRefs: BACKENDS, filters: [{ type: 'RequestMirror', requestMirror: {} }] }),
      /RequestMirror is not supported/,
    ],
  ];
  for (const [spec, message] of cases) assertRefused('GRPCRoute', spec, message);
});
