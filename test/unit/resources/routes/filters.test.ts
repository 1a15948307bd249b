import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, goodSpec } from '../../../lib/documents/read-spec.ts';

const BACKENDS = [{ name: 'division', port: 80 }];

const route = (rule: object) => ({
  parentRefs: [{ group: '', kind: 'Service', name: 'division' }],
  rules: [rule],
});
const read = (filters: object[], more: object = { backendRefs: BACKENDS }) =>
  goodSpec('HTTPRoute', route({ filters, ...more }));

const headers = (content: object) => ({ type: 'RequestHeaderModifier', requestHeaderModifier: content });
const redirect = (content: object) => ({ type: 'RequestRedirect', requestRedirect: content });
const rewrite = (content: object) => ({ type: 'URLRewrite', urlRewrite: content });
const full = (value: unknown) => ({ type: 'ReplaceFullPath', replaceFullPath: value });
const prefix = (value: unknown) => ({ type: 'ReplacePrefixMatch', replacePrefixMatch: value });

test('headers are set, added and removed', () => {
  const content = {
    set: [{ name: 'X-A', value: '1' }],
    add: [{ name: 'X-B', value: 'x, y' }],
    remove: ['X-C', 'l-5d'],
  };
  const changes = {
    set: [{ name: 'x-a', value: '1' }],
    add: [{ name: 'x-b', value: 'x, y' }],
    remove: ['x-c', 'l-5d'],
  };
  const response = { type: 'ResponseHeaderModifier', responseHeaderModifier: content };
  assert.deepEqual(read([headers(content), response]).rules[0]?.filters, [
    { kind: 'requestHeaders', ...changes },
    { kind: 'responseHeaders', ...changes },
  ]);
});

test('a header that is set twice has the first value', () => {
  const set = [
    { name: 'a', value: '1' },
    { name: 'A', value: '2' },
  ];
  const { rules, warnings } = read([headers({ set })]);
  assert.deepEqual(rules[0]?.filters, [
    { kind: 'requestHeaders', set: [{ name: 'a', value: '1' }], add: [], remove: [] },
  ]);
  assert.match(warnings.join(), /set\[1\]: 'a' stands here twice: the first entry counts/);
});

test('a redirect has every part of an address, and 302 by default', () => {
  const whole = { scheme: 'https', hostname: 'a.example', port: 8443, path: full('/x'), statusCode: 308 };
  assert.deepEqual(read([redirect(whole)], {}).rules[0]?.filters, [
    {
      kind: 'redirect',
      scheme: 'https',
      hostname: 'a.example',
      path: { kind: 'full', value: '/x' },
      port: 8443,
      status: 308,
    },
  ]);
  const { rules, warnings } = read([redirect({})], {});
  assert.deepEqual(rules[0]?.filters, [{ kind: 'redirect', status: 302 }]);
  assert.match(warnings.join(), /clients go round in circles/);
});

test('a prefix is replaced by whole segments', () => {
  const replaced = (value: string) => {
    const matches = [{ path: { value: '/old' } }];
    const [filter] =
      read([rewrite({ path: prefix(value) })], { matches, backendRefs: BACKENDS }).rules[0]?.filters ?? [];
    return filter?.kind === 'rewrite' ? filter.path : undefined;
  };
  assert.deepEqual(replaced('/new'), { kind: 'prefix', value: '/new' });
  assert.deepEqual(replaced('/new/'), { kind: 'prefix', value: '/new' });
  assert.deepEqual(replaced('/'), { kind: 'prefix', value: '/' });
  assert.deepEqual(replaced(''), { kind: 'prefix', value: '/' });
  // Without matches there is one, which is a prefix.
  assert.equal(read([rewrite({ hostname: 'a.b', path: prefix('/x') })]).rules[0]?.filters.length, 1);
});

test('filters that the mesh has not are refused, not left out', () => {
  const unsupported: [object, RegExp][] = [
    [
      { type: 'RequestMirror', requestMirror: { backendRef: BACKENDS[0] } },
      /RequestMirror is not supported in an HTTPRoute/,
    ],
    [
      { type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'y', name: 'z' } },
      /ExtensionRef is not supported/,
    ],
    [{ type: 'CORS', cors: { allowOrigins: ['*'] } }, /CORS is not supported/],
    [{ type: 'ExternalAuth', externalAuth: { protocol: 'HTTP' } }, /ExternalAuth is not supported/],
    [{ type: 'Teapot' }, /'Teapot' is not one of RequestHeaderModifier/],
  ];
  for (const [filter, message] of unsupported)
    assertRefused('HTTPRoute', route({ filters: [filter], backendRefs: BACKENDS }), message);
  const backendRefs = [{ ...BACKENDS[0], filters: [redirect({ scheme: 'https' })] }];
  assertRefused('HTTPRoute', route({ backendRefs }), /RequestRedirect is not supported in backendRefs/);
});

test('headers that are not for users are refused', () => {
  const reserved: [string, RegExp][] = [
    ['Host', /'host' is changed by a URLRewrite/],
    ['connection', /belongs to the connection/],
    ['Transfer-Encoding', /belongs to the connection/],
    ['content-length', /belongs to the connection/],
    ['upgrade', /belongs to the connection/],
    ['L5d-Dtab', /the mesh's own/],
    ['l5d-ctx-trace', /the mesh's own/],
    ['X-Forwarded-Client-Cert', /the mesh's own/],
    [':path', /no name of a header/],
  ];
  for (const [name, message] of reserved)
    for (const content of [
      { set: [{ name, value: 'x' }] },
      { add: [{ name, value: 'x' }] },
      { remove: [name] },
    ])
      assertRefused('HTTPRoute', route({ filters: [headers(content)], backendRefs: BACKENDS }), message);
});

test('filters that contradict themselves or each other are refused', () => {
  const one = [{ name: 'a', value: '1' }];
  const matches = [{ path: { value: '/a' } }, { path: { value: '/b' } }];
  const exact = [{ path: { type: 'Exact', value: '/a' } }];
  const cases: [object[], RegExp, object?][] = [
    [[headers({ set: one, remove: ['A'] })], /'a' stands in 'set' too/],
    [[headers({ set: one, add: one })], /'a' stands in 'set' too/],
    [[headers({})], /changes nothing/],
    [[headers({ set: [{ name: 'a', value: 'x\nb: c' }] })], /no line breaks/],
    [[headers({ set: [{ name: 'a', value: 'x\u0000' }] })], /no other control characters/],
    [[headers({ set: one }), headers({ add: one })], /a RequestHeaderModifier stands here already/],
    [[{ type: 'RequestHeaderModifier' }], /'requestHeaderModifier' is missing/],
    [
      [{ ...headers({ set: one }), urlRewrite: { hostname: 'a' } }],
      /does not belong to the type RequestHeader/,
    ],
    [[rewrite({})], /changes nothing/],
    [[rewrite({ hostname: '*.a' })], /no DNS-1123 subdomain/],
    [[rewrite({ hostname: 'a:80' })], /no DNS-1123 subdomain/],
    [[rewrite({ path: full('x') })], /begins with '\/'/],
    [[rewrite({ path: full('/x?y') })], /no query/],
    [
      [rewrite({ path: { ...full('/x'), replacePrefixMatch: '/y' } })],
      /does not belong to the type ReplaceFullPath/,
    ],
    [[rewrite({ path: { type: 'ReplacePrefixMatch' } })], /'replacePrefixMatch' is missing/],
    [[rewrite({ path: prefix('/x') })], /exactly one match/, { matches, backendRefs: BACKENDS }],
    [[rewrite({ path: prefix('/x') })], /exactly one match/, { matches: exact, backendRefs: BACKENDS }],
    [[redirect({ path: prefix('/x') })], /exactly one match/, { matches: exact }],
    [[redirect({ statusCode: 200 })], /200 is not one of 301, 302/, {}],
    [[redirect({ scheme: 'ftp' })], /not one of http, https/, {}],
    [[redirect({ scheme: 'https' })], /excludes backendRefs/],
    [[redirect({ scheme: 'https' }), rewrite({ hostname: 'a' })], /exclude each other/, {}],
    [Array.from({ length: 17 }, () => rewrite({ hostname: 'a' })), /17 filters/],
  ];
  for (const [filters, message, more = { backendRefs: BACKENDS }] of cases)
    assertRefused('HTTPRoute', route({ filters, ...more }), message);
  const backendRefs = [{ ...BACKENDS[0], filters: [rewrite({ path: prefix('/x') })] }];
  assertRefused('HTTPRoute', route({ matches: exact, backendRefs }), /exactly one match/);
});
