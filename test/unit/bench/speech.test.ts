/** The load generator's protocols: what counts as an answer, and that nothing else does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Dialect, Speech } from '../../../bench/load/speech/dialect.ts';
import { dialectOf } from '../../../bench/load/speech/dialect-of.ts';
import * as frames from '../../../bench/load/speech/frames.ts';
import { message } from '../../../bench/load/speech/grpc-dialect.ts';
import { numbered, numberOf, streamIdOf } from '../../../bench/load/speech/numbered.ts';

const BODY = 10;

function dialect(language: Speech['language']): Dialect {
  const speech: Speech = language === 'echo' ? { language } : { language, bodyBytes: BODY };
  return dialectOf(speech, '10.0.0.1:80');
}

/** Feeds the bytes in pieces; which requests are answered, and what was written. */
function read(language: Speech['language'], bytes: Buffer, cuts: readonly number[] = []) {
  const answered: number[] = [];
  const written: Buffer[] = [];
  const reader = dialect(language).reader(
    out => written.push(out),
    n => answered.push(n),
  );
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  // One buffer for all pieces, as the generator's sockets have.
  const shared = Buffer.alloc(bytes.length);
  places.slice(1).forEach((end, i) => {
    const piece = bytes.subarray(places[i] ?? 0, end);
    shared.set(piece);
    reader(shared.subarray(0, piece.length));
  });
  return { answered, written: Buffer.concat(written) };
}

function http(body: string, length = body.length, status = '200 OK'): Buffer {
  return Buffer.from(`HTTP/1.1 ${status}\r\nServer: x\r\nContent-Length: ${length}\r\n\r\n${body}`);
}

function grpc(n: number, bytes = BODY): Buffer {
  const id = streamIdOf(n);
  const answer = message(Buffer.alloc(bytes));
  return Buffer.concat([
    frames.frame(frames.HEADERS, frames.END_HEADERS, id, Buffer.from([0x88])),
    frames.frame(frames.DATA, 0, id, answer.subarray(0, 4)),
    frames.frame(frames.DATA, 0, id, answer.subarray(4)),
    frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, id, Buffer.from([0x88])),
  ]);
}

test('answers are counted however their bytes are cut', () => {
  const streams = {
    echo: Buffer.alloc(3 * 64),
    http: Buffer.concat([http('x'.repeat(BODY)), http('y'.repeat(BODY)), http('z'.repeat(BODY))]),
    grpc: Buffer.concat([frames.settings([]), grpc(1), grpc(0), grpc(2)]),
  };
  for (const language of ['echo', 'http', 'grpc'] as const)
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 12 }), cuts => {
        const { answered } = read(language, streams[language], cuts);
        assert.deepEqual(answered, language === 'grpc' ? [1, 0, 2] : [0, 1, 2]);
      }),
    );
});

test('half an answer is none', () => {
  const whole = http('x'.repeat(BODY));
  assert.deepEqual(read('http', whole.subarray(0, -1)).answered, []);
  assert.deepEqual(read('grpc', grpc(0).subarray(0, -1)).answered, []);
});

test('HTTP: another status or another length ends the run', () => {
  assert.throws(
    () => read('http', http('x'.repeat(BODY), BODY, '503 Busy')),
    /answered with 'HTTP\/1\.1 503/,
  );
  assert.throws(() => read('http', http('x')), /10 bytes were asked for/);
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.throws(() => read('http', Buffer.from(chunked)), /10 bytes were asked for/);
  assert.throws(() => read('http', Buffer.alloc(9_000, 0x61)), /head without an end/);
});

test('gRPC: resets, GOAWAY and short messages end the run', () => {
  const four = (value: number) => Buffer.from([0, 0, 0, value]);
  assert.throws(() => read('grpc', frames.frame(frames.RST_STREAM, 0, 1, four(7))), /reset with code 7/);
  const goaway = Buffer.concat([four(0), four(11), Buffer.from('calm down')]);
  assert.throws(
    () => read('grpc', frames.frame(frames.GOAWAY, 0, 0, goaway)),
    /GOAWAY with code 11: calm down/,
  );
  assert.throws(() => read('grpc', grpc(0, BODY - 1)), /14 of 15 bytes/);
  const failed = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, Buffer.from([0x88]));
  assert.throws(() => read('grpc', failed), /0 of 15 bytes/);
  const unended = frames.frame(frames.DATA, frames.END_STREAM, 1, message(Buffer.alloc(BODY)));
  assert.throws(() => read('grpc', unended), /without trailers/);
});

test('gRPC: SETTINGS and PING are answered, their acknowledgements are not', () => {
  const ping = frames.frame(frames.PING, 0, 0, Buffer.from('12345678'));
  const acknowledged = [
    frames.frame(frames.SETTINGS, frames.ACK, 0),
    frames.frame(frames.PING, frames.ACK, 0),
  ];
  const { written } = read(
    'grpc',
    Buffer.concat([frames.settings([[4, 5]]), ping, ...acknowledged]),
    [3, 20],
  );
  const expected = [
    frames.frame(frames.SETTINGS, frames.ACK, 0),
    frames.frame(frames.PING, frames.ACK, 0, Buffer.from('12345678')),
  ];
  assert.deepEqual(written, Buffer.concat(expected));
});

test('requests carry the ids of their streams', () => {
  const { request, streamIdAt } = dialect('grpc');
  const bytes = numbered({ request, streamIdAt }, 70_000, 3);
  assert.equal(bytes.length, 3 * request.length);
  for (let i = 0; i < 3; i++)
    for (const at of streamIdAt)
      assert.equal(numberOf(bytes.readUInt32BE(i * request.length + at)), 70_000 + i);
  const plain = dialect('http');
  assert.equal(numbered(plain, 5, 1), plain.request);
});
