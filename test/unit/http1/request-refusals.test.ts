/** Requests that two readers could understand differently, and those over a limit: none comes through. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Http1Reason } from '../../../node-proxy/http1/index.ts';
import { type ReadMessage, readRequests } from '../../lib/http1/read-stream.ts';

const GET = 'GET / HTTP/1.1\r\n';
const HOST = `${GET}Host: a\r\n`;
const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const TAIL = '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

const REFUSED: Record<string, [text: string, reason: Http1Reason, status?: number][]> = {
  'Content-Length and Transfer-Encoding': [
    [`${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${TAIL}`, 'cl_and_te'],
    [`${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${TAIL}`, 'cl_and_te'],
    [`${POST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n${TAIL}`, 'cl_and_te'],
    [`${POST}content-length: 5\r\ntransfer-encoding: CHUNKED\r\n\r\n${TAIL}`, 'cl_and_te'],
  ],
  'Transfer-Encoding': [
    [`${POST}Transfer-Encoding: gzip\r\n\r\n`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: gzip, chunked\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: chunked, chunked\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: chunked, identity\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: identity\r\n\r\n`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: xchunked\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: chunked;q=1\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: "chunked"\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding:\r\n\r\n`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: ,chunked\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: \x0bchunked\r\n\r\n${TAIL}`, 'bad_value'],
    [`${POST}Transfer-Encoding: \xa0chunked\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}Transfer-Encoding: chun\xe2\x84\xaaed\r\n\r\n`, 'unsupported_transfer_encoding', 501],
    [
      `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${TAIL}`,
      'duplicate_transfer_encoding',
    ],
    [
      `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n${TAIL}`,
      'duplicate_transfer_encoding',
    ],
    [`POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${TAIL}`, 'te_in_1_0'],
    [`${POST}Transfer_Encoding: chunked\r\n\r\n${TAIL}`, 'ambiguous_name'],
    [`${POST}Transfer-Encoding : chunked\r\n\r\n${TAIL}`, 'space_before_colon'],
    [`${POST}Transfer-Encoding\t: chunked\r\n\r\n${TAIL}`, 'space_before_colon'],
    [`${POST}Transfer-Encoding:\r\n chunked\r\n\r\n${TAIL}`, 'unsupported_transfer_encoding', 501],
    [`${POST}X: x\r\n Transfer-Encoding: chunked\r\n\r\n${TAIL}`, 'obs_fold'],
    [`${POST}X: x\nTransfer-Encoding: chunked\r\n\r\n${TAIL}`, 'bare_lf'],
    [`${POST}X: x\rTransfer-Encoding: chunked\r\n\r\n${TAIL}`, 'bare_cr'],
    [`${POST}\x00Transfer-Encoding: chunked\r\n\r\n${TAIL}`, 'bad_name'],
  ],
  'Content-Length': [
    ...[
      '+5',
      '-5',
      '0x5',
      '5 5',
      '5,5',
      '5, 5',
      '5.0',
      '5_0',
      '1e1',
      '',
      ' ',
      '\xef\xbc\x95',
      '"5"',
      '5;',
      '\xb2',
    ].map((value): [string, Http1Reason] => [
      `${POST}Content-Length: ${value}\r\n\r\nhello`,
      'bad_content_length',
    ]),
    [`${POST}Content-Length: 9007199254740993\r\n\r\n`, 'bad_content_length'],
    [`${POST}Content-Length: 18446744073709551616\r\n\r\n`, 'bad_content_length'],
    [`${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 'duplicate_content_length'],
    [`${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 'duplicate_content_length'],
    [`${POST}Content-Length: 5\r\nContent_Length: 6\r\n\r\nhello`, 'ambiguous_name'],
    [`${POST}Content-Length : 5\r\n\r\nhello`, 'space_before_colon'],
    [`${POST}Content-Length: 5\x00\r\n\r\nhello`, 'bad_value'],
  ],
  Host: [
    [`${GET}\r\n`, 'missing_host'],
    [`${GET}Host: a\r\nHost: b\r\n\r\n`, 'duplicate_host'],
    [`${GET}Host: a\r\nhOST: a\r\n\r\n`, 'duplicate_host'],
    ...['', 'a b', 'a,b', 'a/b', 'a@b', 'u:p@a', 'a?b', 'a#b', 'a:x', 'a:', 'a:65536', 'a:1:2', ':80'].map(
      (value): [string, Http1Reason] => [`${GET}Host: ${value}\r\n\r\n`, 'bad_host'],
    ),
    ...[
      '[',
      '[]',
      '[::1',
      '::1',
      '[::1]x',
      '[::1%25eth0]',
      '[g::]',
      'a%2eb',
      'a\\b',
      '"a"',
      '\xe4',
      '<a>',
    ].map((value): [string, Http1Reason] => [`${GET}Host: ${value}\r\n\r\n`, 'bad_host']),
    [`GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n`, 'host_mismatch'],
    [`GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n`, 'host_mismatch'],
    [`GET http://a/ HTTP/1.1\r\n\r\n`, 'missing_host'],
  ],
  'line ends and white space': [
    ['GET / HTTP/1.1\nHost: a\n\n', 'bare_lf'],
    [`${GET}Host: a\n\r\n`, 'bare_lf'],
    [`${HOST}\n`, 'bare_lf'],
    [`${HOST}X\n\r\n`, 'bare_lf'],
    [`${HOST}\rX\r\n`, 'bare_cr'],
    [`${HOST}X: a\rb\r\n\r\n`, 'bare_cr'],
    [`${HOST}X: a\r\r\n\r\n`, 'bare_cr'],
    ['GET / HTTP/1.1\rHost: a\r\n\r\n', 'bare_cr'],
    [`${GET} Host: a\r\n\r\n`, 'obs_fold'],
    [`${GET}\tX: y\r\nHost: a\r\n\r\n`, 'obs_fold'],
    [`${HOST}X: a\r\n b\r\n\r\n`, 'obs_fold'],
    [`${HOST}X: a\r\n\tb\r\n\r\n`, 'obs_fold'],
    [`${HOST}X: a\r\n \r\n\r\n`, 'obs_fold'],
    [`\r\n\r\n${HOST}\r\n`, 'bad_method'],
    [`\n${HOST}\r\n`, 'bare_lf'],
    [`\rGET / HTTP/1.1\r\nHost: a\r\n\r\n`, 'bare_cr'],
    [` ${HOST}\r\n`, 'bad_method'],
  ],
  'names and values': [
    ...[
      'X Y: z',
      'X(: z',
      'X": z',
      'X/: z',
      'X@: z',
      'X\x00: z',
      'X\x7f: z',
      '\xe4: z',
      ': z',
      'X',
      'X;: z',
    ].map((line): [string, Http1Reason] => [
      `${HOST}${line}\r\n\r\n`,
      line.startsWith('X Y') ? 'space_before_colon' : 'bad_name',
    ]),
    ...['\x00', '\x01', '\x0b', '\x0c', '\x1b', '\x7f'].map((char): [string, Http1Reason] => [
      `${HOST}X: a${char}b\r\n\r\n`,
      'bad_value',
    ]),
  ],
  'the request line': [
    ['GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 'bad_version'],
    ['GET /  HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_version'],
    ['GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_version'],
    ['GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_method'],
    ['GET /\tHTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET /\r\n\r\n', 'bad_version'],
    ['GET\r\n\r\n', 'bad_method'],
    ['GET \r\n\r\n', 'bad_version'],
    ['/ HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_method'],
    ['G(T / HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_method'],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n', 'bad_method'],
    ['GET /#f HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET /?a#f HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET * HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET a HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET ?q HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET http:// HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'bad_target'],
    ['CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 'connect', 501],
    ['connect a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 'connect', 501],
    ...['HTTP/2.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/3.0'].map((version): [string, Http1Reason, number] => [
      `GET / ${version}\r\nHost: a\r\n\r\n`,
      'unsupported_version',
      505,
    ]),
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'unsupported_version', 505],
    ...['http/1.1', 'HTTP/1', 'HTTP/11', 'HTTP/1.10', 'HTTP/1,1', 'HTTPS/1.1', 'HTTP/ 1.1', 'x'].map(
      (version): [string, Http1Reason] => [`GET / ${version}\r\nHost: a\r\n\r\n`, 'bad_version'],
    ),
  ],
  Connection: [
    ...['host', 'Content-Length', 'transfer-encoding', 'Trailer', 'content-type', 'x_forwarded_for'].map(
      (option): [string, Http1Reason] => [
        `${HOST}Connection: ${option}\r\n\r\n`,
        'forbidden_connection_option',
      ],
    ),
    ...['authorization', 'cookie', 'l5d-dtab', 'X-Forwarded-Client-Cert', 'x-forwarded-for', 'forwarded'].map(
      (option): [string, Http1Reason] => [
        `${HOST}Connection: close, ${option}\r\n\r\n`,
        'forbidden_connection_option',
      ],
    ),
    [`${HOST}Connection: a b\r\n\r\n`, 'bad_connection'],
    [`${HOST}Connection: "close"\r\n\r\n`, 'bad_connection'],
    [`${HOST}Connection: ${Array.from({ length: 17 }, (_, i) => `x${i}`).join()}\r\n\r\n`, 'bad_connection'],
    [`${HOST}Connection: upgrade\r\nUpgrade: web socket\r\n\r\n`, 'bad_upgrade'],
    [`${HOST}Connection: upgrade\r\nUpgrade:\r\n\r\n`, 'bad_upgrade'],
  ],
  chunks: [
    ...[
      '',
      ' 5',
      '0x5',
      '+5',
      '-5',
      '5_0',
      'g',
      '5 ',
      '5\t',
      '5 ;x',
      '10000000000000000',
      '00000000000000005',
    ].map((size): [string, Http1Reason] => [`${CHUNKED}${size}\r\nhello\r\n${TAIL}`, 'bad_chunk_size']),
    [`${CHUNKED}20000000000000\r\n`, 'bad_chunk_size'],
    [`${CHUNKED}5\nhello\r\n${TAIL}`, 'bad_chunk_size'],
    [`${CHUNKED}5\rhello\r\n${TAIL}`, 'bad_chunk_size'],
    [`${CHUNKED}5\r\r\nhello\r\n${TAIL}`, 'bad_chunk_size'],
    [`${CHUNKED}5;x\r\nhello\r\n${TAIL}`, 'chunk_extension'],
    [`${CHUNKED}5;x="\r\n\r\nhello\r\n${TAIL}`, 'chunk_extension'],
    [`${CHUNKED}0;x\r\n\r\n`, 'chunk_extension'],
    [`${CHUNKED}4\r\nhello\r\n${TAIL}`, 'bad_chunk_end'],
    [`${CHUNKED}6\r\nhello\r\n${TAIL}`, 'bad_chunk_end'],
    [`${CHUNKED}5\r\nhello\n${TAIL}`, 'bad_chunk_end'],
    [`${CHUNKED}5\r\nhello\rX`, 'bad_chunk_end'],
  ],
  trailers: [
    ...[
      'Transfer-Encoding',
      'content-length',
      'Host',
      'Trailer',
      'Connection',
      'authorization',
      'Cookie',
    ].map((name): [string, Http1Reason] => [`${CHUNKED}0\r\n${name}: x\r\n\r\n`, 'forbidden_trailer']),
    ...[
      'x-forwarded-client-cert',
      'l5d-dtab',
      'L5D_x',
      'Content_Type',
      'TE',
      'upgrade',
      'Expect',
      'Set-Cookie',
    ].map((name): [string, Http1Reason] => [
      `${CHUNKED}0\r\na: b\r\n${name}: x\r\n\r\n`,
      'forbidden_trailer',
    ]),
    ...['a : b', ' a: b', 'a', ': b', 'a: \x00', 'a: b\n', 'a: b\rc', '\ra'].map(
      (line): [string, Http1Reason] => [`${CHUNKED}0\r\n${line}\r\n\r\n`, 'bad_trailer'],
    ),
    [`${CHUNKED}0\r\na: ${'b'.repeat(8200)}\r\n\r\n`, 'trailer_too_large'],
    [`${CHUNKED}0\r\n${'a: b\r\n'.repeat(101)}\r\n`, 'trailer_too_large'],
  ],
  limits: [
    [`GET /${'a'.repeat(8192)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'line_too_long', 414],
    [`${'A'.repeat(9000)} / HTTP/1.1\r\nHost: a\r\n\r\n`, 'line_too_long', 414],
    [`${HOST}X: ${'a'.repeat(8190)}\r\n\r\n`, 'field_too_long', 431],
    [`${HOST}${'X'.repeat(9000)}: a\r\n\r\n`, 'field_too_long', 431],
    [`${HOST}X:${' '.repeat(9000)}a\r\n\r\n`, 'field_too_long', 431],
    [`${HOST}${'X: y\r\n'.repeat(100)}\r\n`, 'too_many_headers', 431],
    [`${HOST}${`X: ${'a'.repeat(8000)}\r\n`.repeat(9)}\r\n`, 'header_too_large', 431],
  ],
};

for (const [rule, rows] of Object.entries(REFUSED))
  test(`refused: ${rule}`, () => {
    for (const [text, reason, status = 400] of rows) {
      const whole = readRequests(text);
      const label = JSON.stringify(text.slice(0, 200));
      assert.equal(whole.error, reason, label);
      assert.equal(whole.status, status, label);
      // Byte by byte, an error may come later, but it is the same one.
      const bytewise = readRequests(
        text,
        Array.from({ length: text.length }, (_, i) => i),
      );
      assert.equal(bytewise.error, reason, `${label} byte by byte`);
      // The start of a broken body may have been passed on, never its end.
      assert.deepEqual(bytewise.messages.map(headOf), whole.messages.map(headOf), label);
      const started = whole.messages.length;
      assert.ok(started <= 1 && !whole.messages.some(({ complete }) => complete), `${label} was a message`);
    }
  });

test('nothing is read after a refusal', () => {
  const { messages, error } = readRequests(`${HOST}\r\nGET / HTTP/1.1\nHost: a\r\n\r\n${HOST}\r\n`, [30, 40]);
  assert.equal(messages.length, 1);
  assert.equal(error, 'bare_lf');
});

function headOf({ raw: _, payload: __, ...head }: ReadMessage): object {
  return head;
}
