/**
 * Streams of pipelined requests, right and with bytes changed at random, of several clients at once through the
 * client's node to one application that reads strictly. It must see nothing but requests that the bytes contain, and
 * every client gets its own answers, in order. Nobody's request is ejected, refused or lost by what others send.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS } from '#api';
import { App, ok } from '../lib/http-policy/app.ts';
import { Hop } from '../lib/http-policy/hop.ts';
import { eventually } from '../lib/http-policy/loopback.ts';
import { RawClient } from '../lib/http-policy/raw-client.ts';
import { readRequests, readResponses } from '../lib/http1/read-stream.ts';
import { seededRandom } from '../lib/seeded-random.ts';

const BUDGET_MS = 6_000;
const CLIENTS = 8;
/** Bytes that change what a stream means. */
const TELLING = '\r\n :;,\t\x00059afGET/HTCLx\\#"%_-\x7f\xe4';

type Random = () => number;

function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

function streamOf(random: Random, token: string): Buffer {
  let text = '';
  const requests = 1 + below(random, 6);
  for (let i = 0; i < requests; i++) {
    const path = `/${token}/${i}`;
    const host = random() < 0.1 ? 'HOST: web' : 'Host: web';
    const more = random() < 0.3 ? `X-${i}: ${'v'.repeat(below(random, 40))}\r\n` : '';
    const body = 'b'.repeat(below(random, 30));
    const start = random() < 0.1 ? `http://web${path}` : path;
    const kind = random();
    if (kind < 0.35) text += `GET ${start} HTTP/1.1\r\n${host}\r\n${more}\r\n`;
    else if (kind < 0.45) text += `HEAD ${start} HTTP/1.1\r\n${more}${host}\r\n\r\n`;
    else if (kind < 0.7)
      text += `POST ${start} HTTP/1.1\r\n${host}\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
    else if (kind < 0.95) {
      text += `PUT ${start} HTTP/1.1\r\n${more}${host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      for (let at = 0; at < body.length; at += 7) {
        const piece = body.slice(at, at + 7);
        text += `${piece.length.toString(16)}\r\n${piece}\r\n`;
      }
      text += `0\r\n${random() < 0.3 ? 'x-sum: 1\r\n' : ''}\r\n`;
    } else text += `GET ${start} HTTP/1.0\r\n${host}\r\nConnection: keep-alive\r\n\r\n`;
  }
  return Buffer.from(text, 'latin1');
}

function changed(random: Random, bytes: Buffer): Buffer {
  let result = bytes;
  for (let changes = below(random, 4); changes > 0; changes--) {
    const at = below(random, result.length);
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    const byte = Buffer.from([
      random() < 0.8 ? TELLING.charCodeAt(below(random, TELLING.length)) : below(random, 256),
    ]);
    const way = random();
    if (way < 0.5) result = Buffer.concat([before, byte, after.subarray(1)]);
    else if (way < 0.7) result = Buffer.concat([before, byte, after]);
    else if (way < 0.85) result = Buffer.concat([before, after.subarray(1 + below(random, 3))]);
    else result = Buffer.concat([before, after.subarray(0, below(random, 20)), after]);
  }
  return result;
}

interface Expected {
  /** `method target host body` of each complete request, up to one that closes. */
  requests: string[];
  methods: string[];
  /** The bytes hold nothing else. */
  whole: boolean;
}

function expected(bytes: Buffer): Expected {
  const { messages, error, started } = readRequests(bytes);
  const requests: string[] = [];
  const methods: string[] = [];
  for (const { start, host, payload, complete, keepAlive } of messages) {
    if (!complete) return { requests, methods, whole: false };
    // HTTP/1.0 may leave it out: then it is where the client connected to.
    requests.push(`${start} ${host || '10.96.0.1:80'} ${payload}`);
    methods.push(start.slice(0, start.indexOf(' ')));
    if (!keepAlive) return { requests, methods, whole: true };
  }
  return { requests, methods, whole: error === undefined && !started };
}

async function send(random: Random, port: number, bytes: Buffer): Promise<RawClient> {
  const client = await RawClient.connect(port);
  for (let at = 0; at < bytes.length; ) {
    const until = Math.min(bytes.length, at + 1 + below(random, random() < 0.2 ? 5 : 400));
    client.send(bytes.subarray(at, until));
    at = until;
    if (random() < 0.3) await new Promise(resolve => setImmediate(resolve));
  }
  client.end();
  await client.until(({ closed }) => closed);
  return client;
}

test('an application sees what the bytes say, and clients get their own answers', async t => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = seededRandom(seed);
  const app = await App.listen({
    request: ({ method, target, host, body, connection }) =>
      connection.send(ok(method === 'HEAD' ? '' : `${method} ${target} ${host} ${body}`)),
  });
  // One failure would eject the only endpoint, one leaked place would be missed soon.
  const client = {
    ...DEFAULT_CLIENT_SETTINGS,
    breaker: { ...DEFAULT_CLIENT_SETTINGS.breaker, failures: 1, maxEjected: 1 },
    limits: { ...DEFAULT_CLIENT_SETTINGS.limits, requests: CLIENTS },
  };
  const hop = new Hop({ replicas: [app.address], client, quiet: true });
  const port = await hop.listen();
  t.after(async () => {
    await hop.close();
    await app.close();
  });
  const deadline = performance.now() + BUDGET_MS;
  let streams = 0;
  let carried = 0;
  while (performance.now() < deadline) {
    const round = streams;
    const all = Array.from({ length: CLIENTS }, () => changed(random, streamOf(random, `s${streams++}`)));
    const seenBefore = app.requests.length;
    const clients = await Promise.all(all.map(bytes => send(random, port, bytes)));
    await eventually(() => assert.equal(hop.policy.connections, 0));
    const allowed = new Map<string, number>();
    for (const [i, bytes] of all.entries()) {
      const about = `seed ${seed}, round ${round}: ${JSON.stringify(bytes.toString('latin1'))}`;
      const { requests, methods, whole } = expected(bytes);
      for (const each of requests) allowed.set(each, (allowed.get(each) ?? 0) + 1);
      const text = clients[i]?.text ?? '';
      const { messages } = readResponses(text, [...methods, 'GET', 'GET']);
      const answered = messages.filter(({ start, complete }) => start === '200' && complete);
      for (const [n, { payload }] of answered.entries())
        assert.equal(payload, methods[n] === 'HEAD' ? '' : requests[n], about);
      if (whole) assert.equal(answered.length, requests.length, `${about}\n${text}`);
      carried += answered.length;
    }
    for (const { method, target, host, body, done } of app.requests.slice(seenBefore)) {
      const seen = `${method} ${target} ${host} ${body}`;
      if (!done) continue;
      const left = allowed.get(seen) ?? 0;
      assert.ok(left > 0, `seed ${seed}, round ${round}: nobody sent ${JSON.stringify(seen)}`);
      allowed.set(seen, left - 1);
    }
    assert.deepEqual(
      app.connections.filter(({ problem }) => problem !== undefined),
      [],
      `seed ${seed}, round ${round}`,
    );
    app.requests.length = 0;
    app.connections.splice(0, app.connections.length, ...app.connections.filter(({ closed }) => !closed));
  }
  assert.ok(streams > 200 && carried > streams / 2, `${streams} streams, ${carried} requests`);
  hop.policy.sweep();
  assert.equal(hop.counters('/#/registry/shop/web/http').ejections, 0);
  // Nothing is left but connections that wait for the next request.
  await eventually(() => assert.equal(hop.pod.openConnections, app.open));
});
