/** Work that a peer causes for nothing ends with ENHANCE_YOUR_CALM; honest peers never notice (RFC 9113 §10.5). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { H2Code, type Header } from '../../../node-proxy/http2/index.ts';
import {
  data,
  FLAG,
  frame,
  headers,
  numbers,
  ping,
  reset,
  settings,
  settingsAck,
  TYPE,
  windowUpdate,
} from '../../lib/http2-frames.ts';
import { CONNECT } from '../../lib/http2-pair.ts';
import { RawPeer } from '../../lib/http2-raw-peer.ts';

const { ENHANCE_YOUR_CALM, CANCEL } = H2Code;
/** More than any burst. */
const MANY = 3000;
const OK: readonly Header[] = [[':status', '200']];

/** A server that does not answer, so that resets count; `now` stands still unless moved. */
function victim() {
  const time = { now: 0 };
  const peer = new RawPeer('server', { now: () => time.now });
  peer.side.accept = () => {};
  return { peer, time };
}

const FLOODS: Record<string, (i: number) => Buffer> = {
  'PING (CVE-2019-9512)': () => ping(),
  'SETTINGS (CVE-2019-9515)': () => settings(),
  'unexpected acknowledgements': () => settingsAck(),
  'rapid reset (CVE-2023-44487)': i => Buffer.concat([headers(i * 2 + 1, CONNECT), reset(i * 2 + 1, CANCEL)]),
  'malformed requests': i => headers(i * 2 + 1, []),
  'requests that make us reset, by a window update of 0': i =>
    Buffer.concat([headers(i * 2 + 1, CONNECT), windowUpdate(i * 2 + 1, 0)]),
  'streams above the limit': i => headers(i * 2 + 1, CONNECT),
  'empty DATA (CVE-2019-9518)': i => (i === 0 ? headers(1, CONNECT) : data(1, '')),
  'DATA of padding only': i =>
    i === 0 ? headers(1, CONNECT) : frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.alloc(9, 8)),
  'PRIORITY (CVE-2019-9513)': i => frame(TYPE.PRIORITY, 0, i * 2 + 1, Buffer.alloc(5)),
  'unknown frames': () => frame(0xee, 0, 0),
  'tiny WINDOW_UPDATEs': i => (i === 0 ? headers(1, CONNECT) : windowUpdate(i % 2, 1)),
  'RST_STREAM of a closed stream': i =>
    i === 0 ? Buffer.concat([headers(1, CONNECT), reset(1, CANCEL)]) : reset(1, CANCEL),
  'HEADERS of a stream that we have reset': i =>
    i === 0 ? headers(1, []) : headers(1, OK, FLAG.END_HEADERS | FLAG.END_STREAM),
  GOAWAY: i => (i === 0 ? headers(1, CONNECT) : frame(TYPE.GOAWAY, 0, 0, numbers(0, 0))),
};

for (const [what, make] of Object.entries(FLOODS)) {
  test(`a flood of ${what} is cut off`, () => {
    const { peer } = victim();
    let i = 0;
    let written = 0;
    for (; i < MANY && peer.side.connection.state !== 'closed'; i++) {
      peer.send(make(i));
      if (i % 100 === 0) written += peer.side.wire.bytes;
    }
    assert.ok(i < MANY, 'not cut off');
    assert.equal(peer.endedWith, ENHANCE_YOUR_CALM);
    assert.ok(written < 100_000);
    assert.equal((peer.side.closed[0] as { code?: string }).code, 'NM_H2_ENHANCE_YOUR_CALM');
  });
}

test('a client is protected from interim responses without end', () => {
  const peer = new RawPeer('client');
  const recorder = peer.side.open();
  for (let i = 0; i < MANY && peer.side.connection.state === 'open'; i++)
    peer.send(headers(1, [[':status', '103']]));
  assert.equal(peer.endedWith, ENHANCE_YOUR_CALM);
  assert.ok(recorder.headers.length <= 1000);
});

test('CONTINUATION without end is cut off by count and by size (CVE-2024-27316)', () => {
  for (const bytes of [0, 1, 16_000]) {
    const { peer } = victim();
    peer.send(frame(TYPE.HEADERS, 0, 1));
    let sent = 0;
    while (peer.side.connection.state === 'open' && sent < 100) {
      peer.send(frame(TYPE.CONTINUATION, 0, 1, Buffer.alloc(bytes)));
      sent += 1;
    }
    assert.equal(peer.endedWith, ENHANCE_YOUR_CALM, `${bytes}`);
    assert.ok(sent <= 17);
  }
});

test('an HPACK bomb costs a reset, and no memory', () => {
  const { peer } = victim();
  peer.send(headers(1, CONNECT));
  const field = Buffer.concat([Buffer.from('4001617fc11e', 'hex'), Buffer.alloc(4032, 'v')]);
  // 4032 = 127 + 3905; one field fills the table, then 40,000 references to it would be 160 MB.
  const bomb = Buffer.concat([field, Buffer.alloc(40_000, 0xbe)]);
  peer.send(frame(TYPE.HEADERS, FLAG.END_HEADERS, 3, bomb));
  assert.deepEqual(peer.numbers(TYPE.RST_STREAM), [`3:${ENHANCE_YOUR_CALM}`]);
  assert.equal(peer.side.requests.length, 1);
});

test('a peer that does not read what it asked for is cut off', () => {
  const peer = new RawPeer('server', { limits: { ackBurst: 1e9, controlBytes: 10_000 } });
  peer.side.wire.capacity = 1;
  peer.send(ping());
  for (const flush of peer.side.wire.flushes.splice(0)) flush();
  let sent = 0;
  for (; sent < 1000 && peer.side.connection.state === 'open'; sent++) peer.send(ping());
  assert.equal(peer.side.connection.state, 'closed');
  assert.ok(sent * 17 <= 10_017 + 17);
});

test('requests without end beyond our GOAWAY are cut off', () => {
  const { peer } = victim();
  peer.send(headers(1, CONNECT));
  peer.side.connection.goaway(H2Code.ENHANCE_YOUR_CALM);
  const state = () => peer.side.connection.state;
  assert.equal(state(), 'draining');
  for (let i = 1; i < MANY && state() !== 'closed'; i++) peer.send(headers(i * 2 + 1, CONNECT));
  assert.equal(state(), 'closed');
});

test('time refills a budget: a slow trickle is no flood', () => {
  const { peer, time } = victim();
  for (let i = 0; i < MANY; i++) {
    time.now += 10;
    peer.send(ping());
  }
  assert.equal(peer.side.connection.state, 'open');
});

test('honest work is never cut off: many streams, answered before they are reset', () => {
  const peer = new RawPeer('server', { now: () => 0 });
  for (let i = 0; i < 10_000; i++) {
    const id = i * 2 + 1;
    peer.send(headers(id, CONNECT), data(id, 'x'), reset(id, CANCEL));
  }
  assert.equal(peer.side.connection.state, 'open');
  assert.equal(peer.side.requests.length, 10_000);
});

test('… nor a window update or two for each of our frames, nor a PING per round trip of data', () => {
  const peer = new RawPeer('server', { now: () => 0 });
  peer.send(headers(1, CONNECT));
  const { stream } = peer.side.accepted.get(1)!;
  for (let i = 0; i < 10_000; i++) {
    stream!.write(Buffer.from('x'));
    peer.send(windowUpdate(0, 1), windowUpdate(1, 1), data(1, 'a'), data(1, 'b'), ping());
  }
  assert.equal(peer.side.connection.state, 'open');
});

test('… nor the six window updates with which haproxy answers two of our frames', () => {
  const peer = new RawPeer('server', { now: () => 0 });
  peer.send(headers(1, CONNECT));
  const { stream } = peer.side.accepted.get(1)!;
  for (let i = 0; i < 10_000; i++) {
    stream!.write(Buffer.from('x'));
    stream!.write(Buffer.from('x'));
    for (let n = 0; n < 3; n++) peer.send(windowUpdate(1, 1), windowUpdate(0, 1));
  }
  assert.equal(peer.side.connection.state, 'open');
});

test('… nor what crosses with resets of ours: a hint, the head and the trailers of each answer', () => {
  const peer = new RawPeer('client', { now: () => 0 });
  const end = FLAG.END_HEADERS | FLAG.END_STREAM;
  const late = (id: number) => [
    headers(id, [[':status', '103']]),
    headers(id, OK),
    headers(id, [['a', 'b']], end),
  ];
  for (let round = 0; round < 5; round++) {
    const ids = Array.from({ length: 900 }, () => peer.side.open().stream!).map(stream => {
      stream.reset(CANCEL);
      return stream.id;
    });
    peer.send(...ids.flatMap(late));
  }
  assert.equal(peer.side.connection.state, 'open');
});

test('a client does not count resets by its server', () => {
  const peer = new RawPeer('client', { now: () => 0 });
  for (let i = 0; i < MANY; i++) {
    peer.side.open();
    peer.send(headers(i * 2 + 1, OK), reset(i * 2 + 1, CANCEL));
  }
  assert.equal(peer.side.connection.state, 'open');
});
