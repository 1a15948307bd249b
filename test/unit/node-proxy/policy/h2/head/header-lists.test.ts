import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../../../../node-proxy/http2/index.ts';
import {
  forwardedRequest,
  forwardedResponse,
  forwardedTrailers,
} from '../../../../../../node-proxy/policy/h2/head/header-lists.ts';
import { H2RequestHead, KnownHosts } from '../../../../../../node-proxy/policy/h2/head/request-head.ts';

const PSEUDO: readonly Header[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/a'],
  [':authority', 'a.shop'],
];

function forwarded(list: readonly Header[], plan: object = {}): readonly Header[] {
  const head = new H2RequestHead(list);
  head.read(new KnownHosts());
  const whole = { path: head.path, authority: undefined, requestEdits: undefined, ownFields: [], ...plan };
  return forwardedRequest(head, whole as never);
}

test('what is not to be changed stays as it is', () => {
  const list: Header[] = [...PSEUDO, ['te', 'trailers'], ['x-a', '1'], ['x-a', '2']];
  assert.deepEqual(forwarded(list), list);
});

test('path, authority, reserved fields, edits and our own', () => {
  const list: Header[] = [...PSEUDO, ['host', 'a.shop'], ['l5d-dtab', 'x'], ['x-a', '1'], ['x-b', '2']];
  const plan = {
    path: '/new',
    authority: 'b.shop',
    requestEdits: { drop: new Set(['x-a']), lines: '', fields: [['x-c', '3']] },
    ownFields: [['l5d-dst-client', '/#/x']],
  };
  assert.deepEqual(forwarded(list, plan), [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/new'],
    [':authority', 'b.shop'],
    ['x-b', '2'],
    ['x-c', '3'],
    ['l5d-dst-client', '/#/x'],
  ]);
});

test('a host becomes :authority, behind the other pseudo-headers and before all fields', () => {
  const list: Header[] = [...PSEUDO.slice(0, 3), ['x-a', '1'], ['host', 'a.shop']];
  assert.deepEqual(forwarded(list), [...PSEUDO, ['x-a', '1']]);
});

test('a response without edits is the same object', () => {
  const list: Header[] = [
    [':status', '200'],
    ['x-a', '1'],
  ];
  assert.equal(forwardedResponse(list, undefined), list);
  const edits = { drop: new Set(['x-a']), lines: '', fields: [['x-b', '2']] as const };
  assert.deepEqual(forwardedResponse(list, edits), [
    [':status', '200'],
    ['x-b', '2'],
  ]);
});

test("trailers: only what may be one; of gRPC all but what is the mesh's", () => {
  const list: Header[] = [
    ['grpc-status', '0'],
    ['x-sum', '1'],
    ['cache-control', 'x'],
    ['l5d-err', 'x'],
  ];
  assert.deepEqual(forwardedTrailers(list, true), list.slice(0, 3));
  assert.deepEqual(forwardedTrailers(list, false), list.slice(0, 2));
  const good = list.slice(0, 2);
  assert.equal(forwardedTrailers(good, true), good);
});
