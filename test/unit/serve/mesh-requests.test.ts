import assert from 'node:assert/strict';
import type { ServerHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { answer, refuse } from '../../../namerd/serve/mesh/requests.ts';

/** As node's streams are: one that is closed or destroyed refuses to respond. */
function stream(state: { closed?: boolean; destroyed?: boolean; headersSent?: boolean }) {
  const sent: unknown[] = [];
  const each = { closed: false, destroyed: false, headersSent: false, ...state };
  const respond = (headers: unknown) => {
    if (each.closed || each.destroyed) throw new Error('ERR_HTTP2_INVALID_STREAM');
    if (each.headersSent) throw new Error('ERR_HTTP2_HEADERS_SENT');
    sent.push(headers);
  };
  const end = (body: string) => sent.push(body);
  return { sent, stream: { ...each, respond, end } as unknown as ServerHttp2Stream };
}

test('a caller that has given up gets no answer, and does no harm', () => {
  for (const state of [{ closed: true }, { destroyed: true }, { headersSent: true }]) {
    const gone = stream(state);
    answer(gone.stream, 200, {});
    refuse(gone.stream, new Error('secret'));
    assert.deepEqual(gone.sent, []);
  }
  const there = stream({});
  answer(there.stream, 200, { a: 1 });
  assert.deepEqual(there.sent, [{ ':status': 200, 'content-type': 'application/json' }, '{"a":1}\n']);
});
