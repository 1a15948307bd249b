import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRequest, readResponse, readTrailers } from '../../../node-proxy/http2/header-rules.ts';
import type { Header } from '../../../node-proxy/http2/index.ts';

type Fields = readonly Header[];
const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/a?b=c'],
  [':authority', 'example.com:8080'],
];
const CONNECT: Fields = [
  [':method', 'CONNECT'],
  [':authority', '[fd00::1]:80'],
];
const WEBSOCKET: Fields = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'https'],
  [':path', '/chat'],
  [':authority', 'a'],
];
const without = (fields: Fields, name: string) => fields.filter(field => field[0] !== name);
const change = (fields: Fields, name: string, value: string) =>
  fields.map(field => (field[0] === name ? ([name, value] as const) : field));

const GOOD: Record<string, Fields> = {
  'an ordinary request': [...GET, ['accept', '*/*'], ['te', 'trailers'], ['x-utf8', 'ä'], ['empty', '']],
  'no authority but a host': [...without(GET, ':authority'), ['host', 'a']],
  'host equal to :authority': [...GET, ['host', 'example.com:8080']],
  'OPTIONS *': [
    [':method', 'OPTIONS'],
    [':scheme', 'http'],
    [':path', '*'],
  ],
  'another scheme': change(change(GET, ':scheme', 'coap'), ':path', 'x'),
  CONNECT: [...CONNECT, ['baggage', 'a=b,c=d'], ['forwarded', 'for="1.2.3.4:5"']],
  'content-length': [...GET, ['content-length', '0']],
};

const BAD: Record<string, Fields> = {
  nothing: [],
  'no :method': without(GET, ':method'),
  'no :scheme': without(GET, ':scheme'),
  'no :path': without(GET, ':path'),
  'an empty :path': change(GET, ':path', ''),
  'a space in :path': change(GET, ':path', '/a HTTP/1.1'),
  'a relative :path': change(GET, ':path', 'a'),
  '* for GET': change(GET, ':path', '*'),
  'a space in :method': change(GET, ':method', 'GET /x'),
  'a bad :scheme': change(GET, ':scheme', '1http'),
  'user information in :authority': change(GET, ':authority', 'user@host'),
  'a path in :authority': change(GET, ':authority', 'host/x'),
  'two :path': [...GET, [':path', '/b']],
  ':status': [...GET, [':status', '200']],
  'an unknown pseudo-header': [...GET, [':version', '2']],
  ':protocol, though not announced': WEBSOCKET,
  'a pseudo-header after a field': [...GET.slice(0, 3), ['a', 'b'], GET[3]!],
  'an upper-case name': [...GET, ['Accept', 'x']],
  'an empty name': [...GET, ['', 'x']],
  'a space in a name': [...GET, ['a b', 'x']],
  'a colon in a name': [...GET, ['a:b', 'x']],
  'LF in a value': [...GET, ['a', 'b\nc: d']],
  'CR in a value': [...GET, ['a', 'b\rc']],
  'NUL in a value': [...GET, ['a', 'b\0c']],
  'DEL in a value': [...GET, ['a', 'b\x7fc']],
  'a leading space': [...GET, ['a', ' b']],
  'a trailing tab': [...GET, ['a', 'b\t']],
  connection: [...GET, ['connection', 'close']],
  'keep-alive': [...GET, ['keep-alive', '5']],
  'proxy-connection': [...GET, ['proxy-connection', 'x']],
  'transfer-encoding': [...GET, ['transfer-encoding', 'chunked']],
  upgrade: [...GET, ['upgrade', 'websocket']],
  'te: gzip': [...GET, ['te', 'gzip']],
  'host other than :authority': [...GET, ['host', 'evil']],
  'two hosts': [...without(GET, ':authority'), ['host', 'a'], ['host', 'a']],
  'two content-lengths': [...GET, ['content-length', '1'], ['content-length', '1']],
  'a signed content-length': [...GET, ['content-length', '+1']],
  'a list as content-length': [...GET, ['content-length', '1, 1']],
  'a huge content-length': [...GET, ['content-length', '99999999999999999']],
  'CONNECT without :authority': without(CONNECT, ':authority'),
  'CONNECT with an empty :authority': change(CONNECT, ':authority', ''),
  'CONNECT with :path': [...CONNECT, [':path', '/']],
  'CONNECT with an empty :path': [...CONNECT, [':path', '']],
  'CONNECT with :scheme': [...CONNECT, [':scheme', 'http']],
};

test('well-formed requests', () => {
  for (const [what, fields] of Object.entries(GOOD))
    assert.equal(readRequest(fields, false).error, undefined, what);
});

for (const [what, fields] of Object.entries(BAD)) {
  test(`malformed: ${what}`, () => {
    assert.notEqual(readRequest(fields, false).error, undefined);
  });
}

test('facts of a request', () => {
  assert.equal(readRequest(CONNECT, false).connect, true);
  assert.equal(readRequest(GET, false).connect, false);
  assert.equal(readRequest(change(GET, ':method', 'HEAD'), false).head, true);
  assert.equal(readRequest([...GET, ['content-length', '42']], false).contentLength, 42);
  assert.equal(readRequest(GET, false).contentLength, -1);
});

test('extended CONNECT (RFC 8441), where announced', () => {
  const facts = readRequest(WEBSOCKET, true);
  assert.deepEqual([facts.error, facts.connect], [undefined, false]);
  assert.notEqual(readRequest(change(WEBSOCKET, ':method', 'GET'), true).error, undefined);
  assert.notEqual(readRequest(without(WEBSOCKET, ':path'), true).error, undefined);
});

test('responses', () => {
  assert.equal(
    readResponse([
      [':status', '204'],
      ['a', 'b'],
    ]).status,
    204,
  );
  for (const status of ['', '20', '2000', '099', 'abc', '101'])
    assert.notEqual(readResponse([[':status', status]]).error, undefined, status);
  assert.notEqual(
    readResponse([
      [':status', '200'],
      [':status', '200'],
    ]).error,
    undefined,
  );
  assert.notEqual(
    readResponse([
      [':status', '200'],
      ['connection', 'close'],
    ]).error,
    undefined,
  );
});

test('trailers', () => {
  assert.equal(readTrailers([['grpc-status', '0']]).error, undefined);
  assert.notEqual(readTrailers([[':status', '200']]).error, undefined);
  assert.notEqual(readTrailers([['Grpc-Status', '0']]).error, undefined);
});
