/** What goes to the next hop: nothing that was for this one, all that was not, and what the routes change. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canPassAsIs,
  forwardRequest,
  forwardResponse,
  type HeaderEdits,
  type RequestHead,
  RequestParser,
  ResponseParser,
  simpleResponse,
  withoutBody,
} from '../../../node-proxy/http1/index.ts';

function requestHead(text: string): RequestHead {
  const parser = new RequestParser();
  const bytes = Buffer.from(text, 'latin1');
  assert.equal(parser.readHead(bytes, 0), bytes.length);
  return parser.head;
}

function responseHead(text: string, upgrade = '') {
  const parser = new ResponseParser();
  parser.expect('GET', upgrade);
  const bytes = Buffer.from(text, 'latin1');
  assert.equal(parser.readHead(bytes, 0), bytes.length);
  return parser.head;
}

function forwarded(head: RequestHead, edits?: HeaderEdits, dropReserved = true, extra = ''): string {
  return forwardRequest(head, head.method, head.target, edits, dropReserved, extra);
}

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n';

test('a request without anything to leave out is its own text', () => {
  const head = requestHead(`${GET}X-Odd:  b \r\nTE: trailers\r\nTrailer: x\r\nExpect: 100-continue\r\n\r\n`);
  assert.ok(canPassAsIs(head));
  assert.equal(forwarded(head), head.text);
  assert.equal(forwarded(head, undefined, true, 'l5d-a: b\r\n'), `${head.text.slice(0, -2)}l5d-a: b\r\n\r\n`);
});

test('fields of this hop are left out, wherever they stand', () => {
  const rows: [fields: string, left: string, asIs: boolean][] = [
    ['Connection: keep-alive\r\nA: 1\r\n', 'A: 1\r\n', true],
    ['A: 1\r\nConnection: close\r\n', 'A: 1\r\n', false],
    ['A: 1\r\nkeep-ALIVE: 5\r\nB: 2\r\n', 'A: 1\r\nB: 2\r\n', false],
    ['Proxy-Connection: a\r\nConnection: x-c\r\nTE: gzip\r\n', '', false],
    ['X-C: 1\r\nA: 1\r\nConnection: X-c, x-d\r\nx-c: 2\r\nX-D:\r\n', 'A: 1\r\n', false],
    ['X-C: 1\r\nConnection: X-Cc\r\n', 'X-C: 1\r\n', false],
    ['Upgrade: websocket\r\nA: 1\r\n', 'A: 1\r\n', false],
    [
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\nA: 1\r\n',
      'A: 1\r\n',
      false,
    ],
    ['Proxy-Authorization: x\r\n', 'Proxy-Authorization: x\r\n', true],
    ['Transfer-Encoding: chunked\r\nA: 1\r\n', 'Transfer-Encoding: chunked\r\nA: 1\r\n', true],
  ];
  for (const [fields, left, asIs] of rows) {
    const head = requestHead(`${GET}${fields}\r\n`);
    assert.equal(forwarded(head), `${GET}${left}\r\n`);
    assert.equal(canPassAsIs(head), asIs, fields);
  }
});

test('an upgrade is forwarded with a Connection field of its own', () => {
  const head = requestHead(`${GET}Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nA: 1\r\n\r\n`);
  assert.ok(canPassAsIs(head));
  assert.equal(
    forwarded(head, undefined, true, 'B: 2\r\n'),
    `${GET}Upgrade: websocket\r\nA: 1\r\nB: 2\r\nConnection: Upgrade\r\n\r\n`,
  );
  const answer = responseHead(
    'HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade, x\r\n\r\n',
    'websocket',
  );
  assert.equal(
    forwardResponse(answer, undefined, ''),
    'HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  );
});

test('reserved fields are left out when told to', () => {
  const head = requestHead(
    `${GET}l5d-dtab: /a => /b\r\nX-Forwarded-Client-Cert: y\r\nL5D_x: z\r\nA: 1\r\n\r\n`,
  );
  assert.equal(forwarded(head), `${GET}A: 1\r\n\r\n`);
  assert.equal(forwarded(head, undefined, false), head.text);
});

test('edits: names are left out in any case of letters, lines come before extra ones', () => {
  const edits = { drop: new Set(['host', 'x-a', 'x-missing']), lines: 'Host: b\r\nX-A: new\r\n' };
  const head = requestHead(`${GET}x-a: 1\r\nX-A: 2\r\nX-B: 3\r\n\r\n`);
  for (let again = 0; again < 2; again++)
    assert.equal(
      forwarded(head, edits, true, 'E: f\r\n'),
      'GET /x HTTP/1.1\r\nX-B: 3\r\nHost: b\r\nX-A: new\r\nE: f\r\n\r\n',
    );
  assert.equal(
    forwarded(head, { drop: new Set(), lines: 'C: d\r\n' }),
    `${head.text.slice(0, -2)}C: d\r\n\r\n`,
  );
});

test('method and target can be rewritten, and can not break out', () => {
  const head = requestHead(`${GET}A: 1\r\n\r\n`);
  assert.equal(
    forwardRequest(head, 'POST', '/y?z', undefined, true, ''),
    'POST /y?z HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n',
  );
  for (const target of ['/a b', '/a\r\nX: y', '', '/\xe4', '/\u010a'])
    assert.throws(() => forwardRequest(head, 'GET', target, undefined, true, ''), { code: 'NM_INVARIANT' });
  assert.throws(() => forwardRequest(head, 'G T', '/', undefined, true, ''), { code: 'NM_INVARIANT' });
});

test('a request in another form goes on as HTTP/1.1 in origin form with a Host', () => {
  const absolute = requestHead('GET http://A/x?y HTTP/1.1\r\nHost: a\r\nB: 1\r\n\r\n');
  assert.ok(!canPassAsIs(absolute));
  assert.equal(forwarded(absolute), 'GET /x?y HTTP/1.1\r\nHost: a\r\nB: 1\r\n\r\n');
  const old = requestHead('GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n');
  assert.ok(!canPassAsIs(old));
  assert.equal(forwarded(old), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const bare = requestHead('GET / HTTP/1.0\r\n\r\n');
  bare.host = '10.0.0.1:80';
  assert.equal(forwarded(bare), 'GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\n\r\n');
  const line = requestHead('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.ok(!canPassAsIs(line));
  assert.equal(forwarded(line), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
});

test('responses', () => {
  const rows: [text: string, forwarded: string][] = [
    ['HTTP/1.1 200 OK\r\nA: 1\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: 1\r\n\r\n'],
    ['HTTP/1.0 200 OK\r\nA: 1\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: 1\r\n\r\n'],
    ['HTTP/1.1 200\r\nA: 1\r\n\r\n', 'HTTP/1.1 200 \r\nA: 1\r\n\r\n'],
    [
      'HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nl5d-err: x\r\n\r\n',
      'HTTP/1.1 200 OK\r\nl5d-err: x\r\n\r\n',
    ],
    [
      'HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\nA: 1\r\n\r\n',
      'HTTP/1.1 200 OK\r\nA: 1\r\n\r\n',
    ],
  ];
  for (const [text, expected] of rows)
    assert.equal(forwardResponse(responseHead(text), undefined, ''), expected);
  const chunked = responseHead('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n');
  const edits = { drop: new Set(['a']), lines: 'B: 2\r\n' };
  assert.equal(
    forwardResponse(chunked, edits, 'Connection: close\r\n', true),
    'HTTP/1.1 200 OK\r\nB: 2\r\nConnection: close\r\n\r\n',
  );
  assert.equal(
    forwardResponse(chunked, undefined, ''),
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n',
  );
});

test('answers of our own are read back as they were meant', () => {
  const text = simpleResponse(403, [['x-a', 'b\r\nc: d\u010a\x00\xe4']], 'nö', true);
  assert.equal(
    text,
    'HTTP/1.1 403 Forbidden\r\nx-a: b??c: d??\xe4\r\nContent-Length: 3\r\nConnection: close\r\n\r\nn\xc3\xb6',
  );
  assert.equal(withoutBody(text), text.slice(0, -3));
  assert.equal(simpleResponse(599, [], '', false), 'HTTP/1.1 599 Status\r\nContent-Length: 0\r\n\r\n');
  assert.equal(simpleResponse(100, [], '', false), 'HTTP/1.1 100 Continue\r\n\r\n');
  assert.equal(simpleResponse(204, [], '', false), 'HTTP/1.1 204 No Content\r\n\r\n');
});
