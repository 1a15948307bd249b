/** Requests that are read, and what is known of them afterwards. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHUNKED,
  HAS_EXPECT,
  HAS_HOP,
  HAS_RESERVED,
  HTTP1_LIMITS,
  LENGTH,
  NO_BODY,
  RequestParser,
} from '../../../node-proxy/http1/index.ts';
import { readRequests } from '../../lib/http1/read-stream.ts';

function only(text: string) {
  const { messages, error, started } = readRequests(text);
  assert.equal(error, undefined, text);
  assert.equal(started, false);
  assert.equal(messages.length, 1);
  return messages[0]!;
}

function headOf(text: string) {
  const parser = new RequestParser();
  const bytes = Buffer.from(text, 'latin1');
  assert.equal(parser.readHead(bytes, 0), bytes.length);
  return parser.head;
}

test('method, target and host', () => {
  const rows: [line: string, start: string, host: string][] = [
    ['GET / HTTP/1.1\r\nHost: a', 'GET /', 'a'],
    ['PATCH /a?b=c\\d&e=|{}"<>^` HTTP/1.1\r\nHost: a.b.c:8080', 'PATCH /a?b=c\\d&e=|{}"<>^`', 'a.b.c:8080'],
    ['HEAD //../%2e%00 HTTP/1.1\r\nHost: [2001:db8::1]:80', 'HEAD //../%2e%00', '[2001:db8::1]:80'],
    ['OPTIONS * HTTP/1.1\r\nhost:1.2.3.4', 'OPTIONS *', '1.2.3.4'],
    ['get / HTTP/1.1\r\nHoSt:\t a_b-c~ \t', 'get /', 'a_b-c~'],
    ["M!#$%&'*+-.^_`|~9 /x HTTP/1.1\r\nHost: a", "M!#$%&'*+-.^_`|~9 /x", 'a'],
    ['GET http://A:80/x?y HTTP/1.1\r\nHost: a:80', 'GET /x?y', 'a:80'],
    ['GET HTTP://a HTTP/1.1\r\nHost: a', 'GET /', 'a'],
    ['GET http://a?q HTTP/1.1\r\nHost: a', 'GET /?q', 'a'],
    ['OPTIONS http://a HTTP/1.1\r\nHost: a', 'OPTIONS *', 'a'],
    ['GET http://a/ HTTP/1.0', 'GET /', 'a'],
    ['GET / HTTP/1.0', 'GET /', ''],
    ['DELETE / HTTP/1.1\r\nHost: a', 'DELETE /', 'a'],
    ['PUT / HTTP/1.1\r\nHost: a', 'PUT /', 'a'],
    ['POST / HTTP/1.1\r\nHost: a', 'POST /', 'a'],
  ];
  for (const [line, start, host] of rows) {
    const message = only(`${line}\r\n\r\n`);
    assert.equal(message.start, start);
    assert.equal(message.host, host);
  }
});

test('one empty line before a request is left out', () => {
  assert.equal(only('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').start, 'GET /');
});

test('fields: as sent, white space around values trimmed, looked up without regard to case, joined', () => {
  const head = headOf(
    'GET / HTTP/1.1\r\nHost: a\r\nX-A:  1 \t\r\nx-b:\r\nX-a:2\r\nX-Obs: \xe4\tb\r\nY-A: no\r\nX-1: @\r\n\r\n',
  );
  assert.equal(head.count, 7);
  assert.equal(head.header('x-a'), '1, 2');
  assert.equal(head.header('x-b'), '');
  assert.equal(head.header('x-c'), undefined);
  assert.equal(head.header('x-obs'), '\xe4\tb');
  assert.equal(head.nameAt(1), 'X-A');
  assert.equal(head.valueAt(1), '1');
  // Characters that differ in the bit that tells upper from lower case are not taken for each other.
  assert.equal(headOf('GET / HTTP/1.1\r\nHost: a\r\nx^: 1\r\n\r\n').header('x~'), undefined);
});

test('framing', () => {
  const rows: [fields: string, framing: number, length: number][] = [
    ['', NO_BODY, -1],
    ['Content-Length: 0', LENGTH, 0],
    ['Content-Length:7 ', LENGTH, 7],
    ['content-length: 000000000000007', LENGTH, 7],
    ['CONTENT-LENGTH: 999999999999999', LENGTH, 999_999_999_999_999],
    ['transfer-ENCODING: \tChunked ', CHUNKED, -1],
  ];
  for (const [fields, framing, length] of rows) {
    const head = headOf(`POST / HTTP/1.1\r\nHost: a\r\n${fields === '' ? '' : `${fields}\r\n`}\r\n`);
    assert.equal(head.framing, framing, fields);
    assert.equal(head.length, length, fields);
  }
});

test('persistence', () => {
  const rows: [minor: number, connection: string, keepAlive: boolean][] = [
    [1, '', true],
    [1, 'keep-alive', true],
    [1, 'Close', false],
    [1, 'close, keep-alive', false],
    [1, 'x-a, , CLOSE', false],
    [1, 'closed', true],
    [1, ',', true],
    [0, '', false],
    [0, 'Keep-Alive', true],
    [0, 'keep-alive, close', false],
  ];
  for (const [minor, connection, keepAlive] of rows) {
    const field = connection === '' ? '' : `Connection: ${connection}\r\n`;
    assert.equal(headOf(`GET / HTTP/1.${minor}\r\nHost: a\r\n${field}\r\n`).keepAlive, keepAlive, connection);
  }
  assert.equal(
    headOf('GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n').keepAlive,
    false,
  );
});

test('upgrade: only when Connection names it, without body, in 1.1, and never to another HTTP or TLS', () => {
  const rows: [line: string, upgrade: string][] = [
    ['Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket', 'websocket'],
    ['Upgrade: a/1\r\nConnection: upgrade\r\nUpgrade: b', 'a/1, b'],
    ['Upgrade: websocket', ''],
    ['Connection: upgrade', ''],
    ['Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0', 'websocket'],
    ['Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1', ''],
    ['Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked', ''],
    ...['h2c', 'H2C', 'h2', 'HTTP/2.0', 'TLS/1.0', 'websocket, h2c', 'websocket,h2c', 'h2c-14'].map(
      (protocol): [string, string] => [`Connection: upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}`, ''],
    ),
  ];
  for (const [fields, upgrade] of rows)
    assert.equal(headOf(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`).upgrade, upgrade, fields);
  assert.equal(
    headOf('GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n').upgrade,
    '',
  );
});

test('flags', () => {
  const all = HAS_HOP | HAS_RESERVED | HAS_EXPECT;
  const rows: [field: string, flags: number][] = [
    ['X: y', 0],
    ['Connection: keep-alive', 0],
    ['Connection: close', HAS_HOP],
    ['Connection: x-a', HAS_HOP],
    ['Connection: te', HAS_HOP],
    ['Keep-Alive: 5', HAS_HOP],
    ['Proxy-Connection: keep-alive', HAS_HOP],
    ['HTTP2-Settings: AAMAAABkAAQAAP__', HAS_HOP],
    ['TE: trailers', 0],
    ['TE: gzip', HAS_HOP],
    ['TE: trailers, gzip', HAS_HOP],
    ['Upgrade: websocket', HAS_HOP],
    ['Transfer-Encoding: chunked', 0],
    ['L5d-Dtab: /a => /b', HAS_RESERVED],
    ['l5d-: 1', HAS_RESERVED],
    ['l5d_ctx: 1', HAS_RESERVED],
    ['l5d: 1', 0],
    ['l5dx-a: 1', 0],
    ['X-Forwarded-Client-Cert: x', HAS_RESERVED],
    ['x_forwarded_client-cert: x', HAS_RESERVED],
    ['x-forwarded-client-certs: x', 0],
    ['Expect: 100-continue', HAS_EXPECT],
  ];
  for (const [field, flags] of rows)
    assert.equal(headOf(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`).flags & all, flags, field);
});

test('Expect: 100-continue is heard from HTTP/1.1 only', () => {
  assert.equal(headOf('PUT / HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\n\r\n').expectContinue, true);
  assert.equal(headOf('PUT / HTTP/1.1\r\nHost: a\r\nexpect: other\r\n\r\n').expectContinue, false);
  const old = headOf('PUT / HTTP/1.0\r\nHost: a\r\nexpect: 100-continue\r\n\r\n');
  assert.equal(old.expectContinue, false);
  assert.ok(old.has(HAS_HOP));
});

test('pipelined requests with every kind of body', () => {
  const text =
    'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello' +
    'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' +
    '3\r\nabc\r\n000A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nEtag: "2"\r\n\r\n' +
    'GET /3 HTTP/1.1\r\nHost: a\r\n\r\n' +
    'POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  const { messages, error, started } = readRequests(text);
  assert.equal(error, undefined);
  assert.equal(started, false);
  assert.deepEqual(
    messages.map(({ start, payload, complete }) => [start, payload, complete]),
    [
      ['POST /1', 'hello', true],
      ['POST /2', 'abc0123456789', true],
      ['GET /3', '', true],
      ['POST /4', '', true],
    ],
  );
  assert.equal(messages[1]!.raw, '3\r\nabc\r\n000A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nEtag: "2"\r\n\r\n');
});

test('an empty line after a body is no request that has begun (RFC 9112 §2.2)', () => {
  const parser = new RequestParser();
  const text = Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n');
  const body = parser.readHead(text, 0);
  const end = parser.readBody(text, body);
  assert.equal(end, text.length - 2);
  parser.next();
  assert.equal(parser.readHead(text, end), -1);
  assert.equal(parser.started, false);
  assert.equal(parser.readHead(Buffer.from('G'), 0), -1);
  assert.equal(parser.started, true);
  const rest = Buffer.from('ET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(parser.readHead(rest, 0), rest.length);
  assert.equal(parser.head.target, '/2');
});

test('a transport that ends: what was cut off is known', () => {
  const parser = new RequestParser();
  assert.equal(parser.ended(), false);
  assert.equal(parser.started, false);
  assert.equal(parser.readHead(Buffer.from('GET / HT'), 0), -1);
  assert.equal(parser.started, true);
  assert.equal(parser.ended(), false);
  const rest = Buffer.from('TP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx');
  assert.equal(parser.readHead(rest, 0), rest.length - 1);
  assert.equal(parser.started, false);
  assert.equal(parser.readBody(rest, rest.length - 1), rest.length);
  assert.equal(parser.ended(), false);
  assert.equal(parser.readBody(Buffer.from('yGET'), 0), 1);
  assert.equal(parser.ended(), true);
});

test('limits are exact: what just fits is read', () => {
  const { lineBytes, fieldBytes, fields, headBytes } = HTTP1_LIMITS;
  const line = `GET /${'a'.repeat(lineBytes - 14)} HTTP/1.1\r\n`;
  assert.equal(line.length, lineBytes + 2);
  only(`${line}Host: a\r\n\r\n`);
  const field = `X: ${'a'.repeat(fieldBytes - 3)}\r\n`;
  only(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n`);
  assert.equal(
    only(`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(fields - 1)}\r\n`).fields.length,
    fields,
  );
  const start = `GET / HTTP/1.1\r\nHost: a\r\n${field.repeat(7)}`;
  only(`${start}X: ${'a'.repeat(headBytes - start.length - 7)}\r\n\r\n`);
  assert.equal(
    readRequests(`${start}X: ${'a'.repeat(headBytes - start.length - 6)}\r\n\r\n`).error,
    'header_too_large',
  );
});

test('limits can be set', () => {
  const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: yz\r\n\r\n';
  assert.equal(readRequests(text, [], { lineBytes: 15 }).error, undefined);
  assert.equal(readRequests(text, [], { lineBytes: 14 }).error, 'line_too_long');
  assert.equal(readRequests(text, [], { fieldBytes: 25 }).error, 'field_too_long');
  assert.equal(readRequests(text, [], { headBytes: 54 }).error, 'header_too_large');
  assert.equal(readRequests(text, [], { fields: 1 }).error, 'too_many_headers');
  assert.equal(readRequests(text, [], { trailerBytes: 8 }).error, 'trailer_too_large');
});
