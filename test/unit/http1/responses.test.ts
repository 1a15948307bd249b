/** Responses: how long they are depends on what was asked; what is ambiguous or unasked is a 502. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHUNKED,
  type Http1Reason,
  LENGTH,
  NO_BODY,
  ResponseParser,
  UNTIL_CLOSE,
} from '../../../node-proxy/http1/index.ts';
import { readResponses } from '../../lib/http1/read-stream.ts';

const OK = 'HTTP/1.1 200 OK\r\n';

test('framing', () => {
  const rows: [text: string, method: string, framing: number, payload: string][] = [
    [`${OK}Content-Length: 2\r\n\r\nhi`, 'GET', LENGTH, 'hi'],
    [`${OK}Content-Length: 0\r\n\r\n`, 'GET', LENGTH, ''],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`, 'GET', CHUNKED, 'hi'],
    [`${OK}\r\nall that comes`, 'GET', UNTIL_CLOSE, 'all that comes'],
    ['HTTP/1.0 200 OK\r\n\r\nhi', 'GET', UNTIL_CLOSE, 'hi'],
    [`${OK}Content-Length: 2\r\n\r\n`, 'HEAD', NO_BODY, ''],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n`, 'HEAD', NO_BODY, ''],
    [`${OK}\r\n`, 'HEAD', NO_BODY, ''],
    ['HTTP/1.1 204 No Content\r\n\r\n', 'GET', NO_BODY, ''],
    ['HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', 'GET', NO_BODY, ''],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n', 'GET', NO_BODY, ''],
    ['HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', 'POST', LENGTH, ''],
    ['HTTP/1.1 999 \xe4\r\nContent-Length: 0\r\n\r\n', 'GET', LENGTH, ''],
  ];
  for (const [text, method, framing, payload] of rows) {
    const { messages, error } = readResponses(text, [method]);
    assert.equal(error, undefined, text);
    assert.equal(messages[0]?.framing, framing, text);
    assert.equal(messages[0]?.payload, payload, text);
    assert.equal(messages[0]?.complete, true, text);
  }
});

test('persistence: an end by close is one', () => {
  const keeps = (text: string) => readResponses(text).messages[0]?.keepAlive;
  assert.equal(keeps(`${OK}Content-Length: 0\r\n\r\n`), true);
  assert.equal(keeps(`${OK}Content-Length: 0\r\nConnection: close\r\n\r\n`), false);
  assert.equal(keeps(`${OK}\r\n`), false);
  assert.equal(keeps('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'), false);
  assert.equal(keeps('HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n'), true);
});

test('reason: present, empty, or with its space missing', () => {
  const parser = new ResponseParser();
  const rows = [
    ['HTTP/1.1 404 Not\tFound \xe4\r\n\r\n', 'Not\tFound \xe4'],
    ['HTTP/1.1 404 \r\n\r\n', ''],
    ['HTTP/1.1 404\r\n\r\n', ''],
  ] as const;
  for (const [text, reason] of rows) {
    parser.expect('HEAD');
    parser.readHead(Buffer.from(text, 'latin1'), 0);
    assert.equal(parser.head.reason, reason);
    assert.equal(parser.head.status, 404);
    parser.next();
  }
});

test('interim responses come before the final one', () => {
  const text =
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' +
    `${OK}Content-Length: 1\r\n\r\n!HTTP/1.1 204 N\r\n\r\n`;
  const { messages, error } = readResponses(text, ['POST', 'GET']);
  assert.equal(error, undefined);
  assert.deepEqual(
    messages.map(({ start, payload }) => [start, payload]),
    [
      ['100', ''],
      ['103', ''],
      ['200', '!'],
      ['204', ''],
    ],
  );
});

test('101: to a protocol that was asked for, and what follows is not HTTP any more', () => {
  const switching = (fields: string) => `HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\x81\x05hello`;
  const upgrade = 'Connection: Upgrade\r\nUpgrade: WebSocket\r\n';
  const { messages, opaque } = readResponses(switching(upgrade), ['GET'], [], 'websocket, x/2');
  assert.equal(messages[0]?.upgrade, 'websocket');
  assert.equal(opaque, '\x81\x05hello');
  assert.equal(readResponses(switching(upgrade)).error, 'unexpected_upgrade');
  assert.equal(readResponses(switching(upgrade), ['GET'], [], 'y').error, 'unexpected_upgrade');
  assert.equal(readResponses(switching(''), ['GET'], [], 'websocket').error, 'bad_upgrade');
  assert.equal(
    readResponses(switching('Upgrade: websocket\r\n'), ['GET'], [], 'websocket').error,
    'bad_upgrade',
  );
  assert.equal(
    readResponses(switching('Connection: upgrade\r\nUpgrade: h2c\r\n'), ['GET'], [], 'h2c').error,
    'bad_upgrade',
  );
});

const REFUSED: [text: string, reason: Http1Reason][] = [
  [`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`, 'cl_and_te'],
  [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'unsupported_transfer_encoding'],
  [`${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\n`, 'duplicate_content_length'],
  [`${OK}Content-Length: 2, 2\r\n\r\n`, 'bad_content_length'],
  ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'te_in_1_0'],
  ['HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nhi', 'unexpected_body'],
  ['HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'unexpected_body'],
  ['HTTP/1.1 100 Go\r\nContent-Length: 2\r\n\r\nhi', 'unexpected_body'],
  ['HTTP/1.1 103 Go\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'unexpected_body'],
  ['HTTP/1.0 100 Go\r\n\r\n', 'bad_interim'],
  ['HTTP/1.1 103 Go\r\nConnection: close\r\n\r\n', 'bad_interim'],
  [`${OK}X : y\r\n\r\n`, 'space_before_colon'],
  [`${OK}X: y\r\n z\r\n\r\n`, 'obs_fold'],
  [`${OK}X: y\n\r\n`, 'bare_lf'],
  [`${OK}Connection: content-length\r\n\r\n`, 'forbidden_connection_option'],
  ['HTTP/1.1 200 OK\nX: y\n\n', 'bare_lf'],
  ['HTTP/1.1 200\n\n', 'bare_lf'],
  ['HTTP/1.1\n\n', 'bare_lf'],
  ['HTTP/1.1 200 O\x00K\r\n\r\n', 'bad_status_line'],
  ['HTTP/1.1 200 OK\rX\r\n\r\n', 'bare_cr'],
  ['HTTP/1.1 20\r\n\r\n', 'bad_status'],
  ['HTTP/1.1 2\r\n\r\n', 'bad_status_line'],
  ['HTTP/1.1 2x0 OK\r\n\r\n', 'bad_status'],
  ['HTTP/1.1 099 OK\r\n\r\n', 'bad_status'],
  ['HTTP/1.1 2000 OK\r\n\r\n', 'bad_status'],
  ['HTTP/1.1  200 OK\r\n\r\n', 'bad_status'],
  ['HTTP/1.1\t200 OK\r\n\r\n', 'bad_status_line'],
  ['HTTP/2.0 200 OK\r\n\r\n', 'unsupported_version'],
  ['HTTP/2 200 OK\r\n\r\n', 'bad_status_line'],
  ['\r\nHTTP/1.1 200 OK\r\n\r\n', 'bad_status_line'],
  ['SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', 'bad_status_line'],
  [`HTTP/1.1 200 ${'a'.repeat(8200)}\r\n\r\n`, 'line_too_long'],
  [`${OK}X: ${'a'.repeat(8200)}\r\n\r\n`, 'field_too_long'],
  [`${OK}${'X: y\r\n'.repeat(101)}\r\n`, 'too_many_headers'],
  [`${OK}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n`, 'chunk_extension'],
  [`${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nl5d-x: y\r\n\r\n`, 'forbidden_trailer'],
  [`${OK}Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`, 'unsolicited_response'],
];

test('refused with 502, whatever pieces it comes in', () => {
  for (const [text, reason] of REFUSED)
    for (const cuts of [[], Array.from({ length: text.length }, (_, i) => i)]) {
      const { error, status } = readResponses(text, ['GET'], cuts);
      assert.equal(error, reason, JSON.stringify(text.slice(0, 100)));
      assert.equal(status, 502);
    }
});

test('a body that is cut off is known', () => {
  for (const text of [`${OK}Content-Length: 9\r\n\r\nhi`, `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`])
    assert.equal(readResponses(text).messages[0]?.complete, false);
});
