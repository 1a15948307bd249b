/**
 * Broken HTTP/1.1 in any pieces: what is understood depends on the bytes alone, nothing but Http1Error is
 * thrown, every byte is read in linear time, and what is forwarded reads back as what it was.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  forwardRequest,
  forwardResponse,
  RequestParser,
  ResponseParser,
} from '../../node-proxy/http1/index.ts';
import { arbitraryCuts, arbitraryRequests, arbitraryResponses } from '../lib/http1/arbitrary-messages.ts';
import { type ReadStream, readRequests, readResponses } from '../lib/http1/read-stream.ts';

const RUNS = 4000;

/** Heads and complete bodies; of a body that breaks, more may have passed before the error. */
function essence({ messages, error, opaque }: ReadStream): unknown {
  return {
    messages: messages.map(message => (message.complete ? message : { ...message, raw: '', payload: '' })),
    error,
    opaque,
  };
}

test('requests: the same whatever pieces they come in', () => {
  let accepted = 0;
  fc.assert(
    fc.property(arbitraryRequests, arbitraryCuts, (text, cuts) => {
      // A line that was begun is ended, so that both have seen all that they decide about.
      const whole = readRequests(`${text}\n`);
      assert.deepEqual(essence(readRequests(`${text}\n`, cuts)), essence(whole));
      if (whole.messages.some(({ complete }) => complete)) accepted += 1;
    }),
    { numRuns: RUNS },
  );
  assert.ok(accepted > RUNS / 10, `only ${accepted} conversations had a valid request`);
});

test('responses: the same whatever pieces they come in', () => {
  let accepted = 0;
  fc.assert(
    fc.property(arbitraryResponses, arbitraryCuts, fc.constantFrom('GET', 'HEAD'), (text, cuts, method) => {
      const whole = readResponses(`${text}\n`, [method, method], [], 'websocket');
      assert.deepEqual(
        essence(readResponses(`${text}\n`, [method, method], cuts, 'websocket')),
        essence(whole),
      );
      if (whole.messages.some(({ complete }) => complete)) accepted += 1;
    }),
    { numRuns: RUNS },
  );
  assert.ok(accepted > RUNS / 10, `only ${accepted} conversations had a valid response`);
});

const HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
  'upgrade',
  'te',
  'expect',
  'host',
]);

test('what is forwarded is read as the same request by the next of us', () => {
  fc.assert(
    fc.property(arbitraryRequests, text => {
      const parser = new RequestParser();
      const bytes = Buffer.from(text, 'latin1');
      let end: number;
      try {
        end = parser.readHead(bytes, 0);
      } catch {
        return;
      }
      if (end < 0) return;
      const { head } = parser;
      if (head.host === '') head.host = 'destination';
      const again = new RequestParser();
      const sent = Buffer.from(
        forwardRequest(head, head.method, head.target, undefined, false, ''),
        'latin1',
      );
      assert.equal(again.readHead(sent, 0), sent.length);
      for (const key of [
        'method',
        'target',
        'host',
        'framing',
        'length',
        'upgrade',
        'expectContinue',
      ] as const)
        assert.equal(again.head[key], head[key], key);
      assert.equal(again.head.minor, 1);
      assert.equal(again.head.keepAlive, true);
      assert.deepEqual(endToEnd(again), endToEnd(parser));
      assert.equal(
        forwardRequest(again.head, head.method, head.target, undefined, false, '').length,
        sent.length,
      );
    }),
    { numRuns: RUNS },
  );
});

test('what is forwarded is read as the same response', () => {
  fc.assert(
    fc.property(arbitraryResponses, text => {
      const parser = new ResponseParser();
      parser.expect('GET', 'websocket');
      const bytes = Buffer.from(text, 'latin1');
      try {
        if (parser.readHead(bytes, 0) < 0) return;
      } catch {
        return;
      }
      const { head } = parser;
      const again = new ResponseParser();
      again.expect('GET', 'websocket');
      const sent = Buffer.from(forwardResponse(head, undefined, ''), 'latin1');
      assert.equal(again.readHead(sent, 0), sent.length);
      for (const key of ['status', 'reason', 'framing', 'length', 'upgrade'] as const)
        assert.equal(again.head[key], head[key], key);
      assert.deepEqual(endToEnd(again), endToEnd(parser));
    }),
    { numRuns: RUNS },
  );
});

function endToEnd({ head }: RequestParser | ResponseParser): string[] {
  const fields: string[] = [];
  for (let index = 0; index < head.count; index++)
    if (!HOP.has(head.nameAt(index).toLowerCase()))
      fields.push(`${head.nameAt(index)}: ${head.valueAt(index)}`);
  // A field that Connection names is not forwarded; here that is X-A at most.
  return fields.filter(
    field => !named(head.header('connection')).includes(field.split(':')[0]!.toLowerCase()),
  );
}

function named(connection: string | undefined): string[] {
  return (connection ?? '').toLowerCase().split(/[\s,]+/);
}

test('bytes without any order', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), arbitraryCuts, (noise, cuts) => {
      readRequests(Buffer.from(noise), cuts);
      readResponses(Buffer.from(noise), ['GET'], cuts);
    }),
    { numRuns: RUNS / 4 },
  );
});

test('a head of the largest size can come byte by byte, also when no line ever ends', () => {
  const field = `X-A: ${'a'.repeat(8000)}\r\n`;
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${field.repeat(8)}\r\n`);
  const parser = new RequestParser();
  let end = -1;
  for (let at = 0; at < bytes.length; at++) end = parser.readHead(bytes.subarray(at, at + 1), 0);
  assert.equal(end, 1);
  assert.equal(parser.head.count, 9);
  for (const endless of ['GET /', 'GET / HTTP/1.1\r\nX: ', 'G']) {
    const reader = new RequestParser();
    reader.readHead(Buffer.from(endless), 0);
    const one = Buffer.from('a');
    let taken = 0;
    assert.throws(
      () => {
        for (; taken < 10_000; taken++) reader.readHead(one, 0);
      },
      { name: 'Http1Error' },
    );
    assert.ok(taken <= 8194, `${taken} bytes of one line were kept`);
  }
});
