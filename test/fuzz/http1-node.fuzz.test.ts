/**
 * Side by side with Node's own parser (llhttp, strict): what we take for a message, Node takes for the same one,
 * with the same fields and the same body. So nothing gets past us that a Node application would understand
 * differently. The other way round we refuse more, for the reasons of a list.
 */

import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Http1Reason } from '../../node-proxy/http1/index.ts';
import { arbitraryRequests, arbitraryResponses } from '../lib/http1/arbitrary-messages.ts';
import { NodeServerReader, readByNodeClient } from '../lib/http1/node-reading.ts';
import { type ReadMessage, readRequests, readResponses } from '../lib/http1/read-stream.ts';

const RUNS = 3000;

/** For these reasons only do we refuse what Node takes for a message. */
const STRICTER = new Set<Http1Reason>([
  'ambiguous_name',
  'bad_connection',
  'bad_host',
  'bad_interim',
  'bad_method',
  'bad_status',
  'bad_status_line',
  'bad_target',
  'bad_trailer',
  'bad_upgrade',
  'bad_version',
  'bare_cr',
  'bare_lf',
  'chunk_extension',
  'duplicate_host',
  'duplicate_transfer_encoding',
  'forbidden_connection_option',
  'forbidden_trailer',
  'host_mismatch',
  'missing_host',
  'te_in_1_0',
  'unexpected_body',
  'unsupported_transfer_encoding',
  'unsupported_version',
]);

test('a request that we accept is the same request for Node', async () => {
  const node = new NodeServerReader();
  let compared = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryRequests, async text => {
      const { messages, error } = readRequests(text);
      const ours = accepted(messages);
      if (error !== undefined && !STRICTER.has(error) && ours.length === complete(messages).length) {
        const { messages: all } = await node.read(text);
        assert.ok(!all[ours.length]?.complete, `Node accepts what we refuse: ${error}`);
        refused += 1;
      }
      if (ours.length === 0) return;
      // Exactly the bytes of these messages: were one longer for Node, or shorter, it would say so.
      const theirs = await node.read(text.slice(0, ours.at(-1)!.end));
      assert.equal(theirs.error, undefined);
      assert.equal(theirs.messages.length, ours.length);
      ours.forEach((message, index) => {
        const other = theirs.messages[index];
        assert.ok(other, `Node refuses message ${index}: ${theirs.error}`);
        assert.deepEqual(other.fields, message.fields);
        assert.equal(pathOf(other.start), message.start);
        assert.equal(other.body, message.payload);
        assert.equal(other.complete, true);
        compared += 1;
      });
    }),
    { numRuns: RUNS },
  );
  assert.ok(compared > RUNS / 10, `only ${compared} messages were compared`);
  assert.ok(refused > RUNS / 40, `only ${refused} refusals were compared`);
});

test('a response that we accept is the same response for Node', async () => {
  let compared = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryResponses, fc.constantFrom('GET', 'HEAD'), async (text, method) => {
      const { messages, error } = readResponses(text, [method]);
      if (error !== undefined && error !== 'unsolicited_response' && !STRICTER.has(error)) {
        const { messages: all } = await readByNodeClient(text, method);
        assert.ok(!all[complete(messages).length]?.complete, `Node accepts what we refuse: ${error}`);
        refused += 1;
      }
      const final = messages.findIndex(({ start, complete }) => start >= '200' && complete);
      if (final < 0) return;
      const theirs = await readByNodeClient(text.slice(0, messages[final]!.end), method);
      assert.equal(theirs.error, undefined);
      for (const [index, message] of messages.slice(0, final + 1).entries()) {
        const other = theirs.messages[index];
        assert.ok(other, `Node refuses message ${index}: ${theirs.error}`);
        assert.deepEqual(other.fields, message.fields);
        assert.equal(other.start, message.start);
        assert.equal(other.body, message.payload);
        assert.equal(other.complete, true);
        compared += 1;
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(compared > RUNS / 10, `only ${compared} messages were compared`);
  assert.ok(refused > RUNS / 40, `only ${refused} refusals were compared`);
});

/**
 * Up to the one after which the connection closes, or may change its protocol, or whose method Node does not
 * know (we pass all methods on).
 */
function accepted(messages: readonly ReadMessage[]): ReadMessage[] {
  const unknown = messages.findIndex(({ start }) => !METHODS.includes(start.split(' ')[0]!));
  const known = complete(messages.slice(0, unknown < 0 ? undefined : unknown));
  const last = known.findIndex(
    ({ keepAlive, fields }) => !keepAlive || fields.some(([name]) => name.toLowerCase() === 'upgrade'),
  );
  return last < 0 ? known : known.slice(0, last + 1);
}

function complete(messages: readonly ReadMessage[]): ReadMessage[] {
  return messages.filter(message => message.complete);
}

/** Absolute form is taken apart by us, as RFC 9112 §3.2.2 wants it; Node leaves it to the application. */
function pathOf(start: string): string {
  const [method, target = ''] = start.split(' ');
  if (!/^http:/i.test(target)) return start;
  const rest = target.replace(/^http:\/\/[^/?]*/i, '');
  if (rest === '') return `${method} ${method === 'OPTIONS' ? '*' : '/'}`;
  return `${method} ${rest.startsWith('/') ? rest : `/${rest}`}`;
}
