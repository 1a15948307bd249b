import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Http1Error, RequestParser } from '../../../../../../node-proxy/http1/index.ts';
import type { Header } from '../../../../../../node-proxy/http2/index.ts';
import {
  type BadRequest,
  H2RequestHead,
  isReserved,
  KnownHosts,
} from '../../../../../../node-proxy/policy/h2/head/request-head.ts';

function listOf(fields: readonly Header[] = [], path = '/', authority = 'a.shop', method = 'GET'): Header[] {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', authority], ...fields];
}

function read(list: readonly Header[]): { head: H2RequestHead; bad: BadRequest | undefined } {
  const head = new H2RequestHead(list);
  return { head, bad: head.read(new KnownHosts()) };
}

test('what rules ask for is there', () => {
  const { head, bad } = read(
    listOf(
      [
        ['content-type', 'application/grpc+proto'],
        ['grpc-timeout', '5S'],
        ['accept', 'a'],
        ['accept', 'b'],
        ['cookie', 'x=1'],
        ['cookie', 'y=2'],
      ],
      '/a?b',
      'a.shop:80',
      'POST',
    ),
  );
  assert.equal(bad, undefined);
  assert.deepEqual([head.method, head.path, head.authority], ['POST', '/a?b', 'a.shop:80']);
  assert.deepEqual([head.grpc, head.grpcTimeout, head.reserved], [true, '5S', false]);
  assert.equal(head.header('accept'), 'a, b');
  assert.equal(head.header('cookie'), 'x=1; y=2');
  assert.equal(head.header('host'), 'a.shop:80');
  assert.equal(head.header(':path'), undefined);
  assert.equal(head.header('none'), undefined);
});

test('a host without :authority is the authority', () => {
  const { head, bad } = read([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    ['host', 'b.shop'],
  ]);
  assert.equal(bad, undefined);
  assert.deepEqual([head.authority, head.hostOnly, head.hasHost], ['b.shop', true, true]);
});

test('what HTTP/1.1 would refuse is refused, with the same word', () => {
  const cases: [Header[], BadRequest | undefined][] = [
    [listOf([], '*', 'a', 'OPTIONS'), undefined],
    [listOf([], '*'), 'bad_target'],
    [listOf([], 'a'), 'bad_target'],
    [listOf([], '/a#b'), 'bad_target'],
    [listOf([], '/a\\b'), 'bad_target'],
    [listOf([], '/a?b\\c'), undefined],
    [listOf([], '/\xe9'), 'bad_target'],
    [listOf([], '/', ''), 'missing_host'],
    [listOf([], '/', 'user@a'), 'bad_host'],
    [listOf([], '/', 'a%2fb'), 'bad_host'],
    [listOf([], '/', 'a:99999'), 'bad_host'],
    [listOf([], '/', '[::1]:80'), undefined],
    [listOf([], '/', 'a', 'CONNECT'), 'connect'],
    [listOf([['transfer_encoding', 'chunked']]), 'ambiguous_name'],
    [listOf([['content_length', '1']]), 'ambiguous_name'],
    [listOf([], `/${'x'.repeat(9_000)}`), 'line_too_long'],
    [listOf([['x-long', 'x'.repeat(9_000)]]), 'field_too_long'],
    [listOf(Array.from({ length: 101 }, (_, i): Header => [`x-${i}`, ''])), 'too_many_headers'],
  ];
  for (const [list, expected] of cases)
    assert.equal(read(list).bad, expected, JSON.stringify(list).slice(0, 100));
});

test('a host that was good does not make another one good', () => {
  const hosts = new KnownHosts();
  assert.equal(hosts.check('a.shop'), undefined);
  assert.equal(hosts.check('a.shop'), undefined);
  assert.equal(hosts.check('a shop'), 'bad_host');
  assert.equal(hosts.check('a shop'), 'bad_host');
  assert.equal(hosts.check(''), 'missing_host');
});

test('only the mesh may set them, however they are spelt', () => {
  for (const name of ['l5d-dtab', 'l5d_dtab', 'l5d-', 'x-forwarded-client-cert', 'x_forwarded-client_cert']) {
    assert.equal(isReserved(name), true, name);
    assert.equal(read(listOf([[name, 'x']])).head.reserved, true, name);
  }
  for (const name of ['l5d', 'l5dx', 'x-l5d-dtab', 'x-forwarded-client-certs', 'x-forwarded-for', 'xl5d-a'])
    assert.equal(isReserved(name), false, name);
});

test('a path and a host are taken as HTTP/1.1 takes them', () => {
  const paths = fc.string({
    unit: fc.oneof(
      fc.constantFrom('/', '?', '#', '\\', '%', 'a', '.', '*', '"', ' '),
      fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 8,
  });
  const hosts = fc.string({
    unit: fc.constantFrom('a', '1', '.', ':', '[', ']', '@', '%', '-', '_', ',', '/'),
    maxLength: 8,
  });
  const accepts = (path: string, host: string): boolean => {
    const parser = new RequestParser();
    try {
      parser.readHead(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'latin1'), 0);
      // Absolute form names a host of its own; HTTP/2 has `:authority` for that.
      return parser.head.target === path && parser.head.host === host;
    } catch (error) {
      assert.ok(error instanceof Http1Error);
      return false;
    }
  };
  fc.assert(
    fc.property(paths, hosts, (rest, host) => {
      const path = `/${rest}`;
      // The codec refuses white space and controls in pseudo-headers before this does.
      fc.pre(/^[\x21-\x7e]+$/.test(path));
      assert.equal(read(listOf([], path, host)).bad === undefined, accepts(path, host), `${path} ${host}`);
    }),
    { numRuns: 2_000 },
  );
});
