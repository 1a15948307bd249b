/** Windows in both directions, backpressure, fairness, and that nothing grows without bound. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COPIED_BYTES, H2Code, type Header } from '../../../node-proxy/http2/index.ts';
import {
  data,
  FLAG,
  headers,
  hello,
  parseFrames,
  settings,
  settingsAck,
  TYPE,
  windowUpdate,
} from '../../lib/http2-frames.ts';
import { CONNECT, Pair, type Recorder, Side } from '../../lib/http2-pair.ts';
import { RawPeer } from '../../lib/http2-raw-peer.ts';

const { FLOW_CONTROL_ERROR, INTERNAL_ERROR } = H2Code;

const POST: readonly Header[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
];

/** A server with tunnels on `ids`, the answers taken off. */
function serving(ids: readonly number[], options: ConstructorParameters<typeof RawPeer>[1] = {}) {
  const peer = new RawPeer('server', options);
  peer.send(...ids.map(id => headers(id, CONNECT)));
  peer.frames();
  return { peer, streams: ids.map(id => peer.side.accepted.get(id)!) };
}

const dataSizes = (peer: RawPeer) =>
  peer
    .frames()
    .filter(({ type }) => type === TYPE.DATA)
    .map(({ streamId, payload }) => `${streamId}:${payload.length}`);

test('no byte leaves beyond the window of the stream, and the rest leaves when it opens', () => {
  const { peer, streams } = serving([1]);
  const [stream] = streams as [Recorder];
  assert.equal(stream.stream!.write(Buffer.alloc(60_000)), true);
  assert.equal(stream.stream!.write(Buffer.alloc(10_000)), false);
  assert.equal(sum(dataSizes(peer)), 65_535);
  peer.send(windowUpdate(0, 100_000));
  assert.deepEqual(dataSizes(peer), []);
  assert.equal(stream.drains, 0);
  peer.send(windowUpdate(1, 4465));
  assert.deepEqual([sum(dataSizes(peer)), stream.drains], [4465, 0]);
  peer.send(windowUpdate(1, 1));
  assert.equal(stream.drains, 1);
});

test('… nor beyond the window of the connection', () => {
  const { peer, streams } = serving([1, 3]);
  const [one, two] = streams as [Recorder, Recorder];
  peer.send(windowUpdate(1, 100_000), windowUpdate(3, 100_000));
  assert.equal(one.stream!.write(Buffer.alloc(65_000)), true);
  assert.equal(two.stream!.write(Buffer.alloc(1000)), false);
  assert.equal(sum(dataSizes(peer)), 65_535);
  peer.send(windowUpdate(0, 465));
  assert.deepEqual(dataSizes(peer), ['3:465']);
  assert.deepEqual([one.drains, two.drains], [0, 0]);
  peer.send(windowUpdate(0, 10));
  assert.deepEqual([one.drains, two.drains], [0, 1]);
});

test('END_STREAM waits for what is queued and needs no window itself', () => {
  const { peer, streams } = serving([1]);
  const { stream } = streams[0]!;
  stream!.write(Buffer.alloc(65_535));
  stream!.write(Buffer.from('tail'));
  stream!.end();
  peer.frames();
  peer.send(windowUpdate(0, 4), windowUpdate(1, 4));
  assert.deepEqual(
    peer.frames().map(({ flags, payload }) => [flags, payload.toString()]),
    [[FLAG.END_STREAM, 'tail']],
  );
  const other = serving([1]);
  other.streams[0]!.stream!.write(Buffer.alloc(65_535));
  other.peer.frames();
  other.streams[0]!.stream!.end();
  assert.deepEqual(
    other.peer.frames().map(({ flags, payload }) => [flags, payload.length]),
    [[FLAG.END_STREAM, 0]],
  );
});

test('a changed INITIAL_WINDOW_SIZE moves every stream, below zero too', () => {
  const { peer, streams } = serving([1]);
  streams[0]!.stream!.write(Buffer.alloc(50_000));
  peer.frames();
  peer.send(settings({ 4: 10_000 }));
  streams[0]!.stream!.write(Buffer.from('x'));
  peer.send(windowUpdate(1, 40_000));
  assert.deepEqual(dataSizes(peer), []);
  peer.send(windowUpdate(1, 1));
  assert.deepEqual(dataSizes(peer), ['1:1']);
  peer.send(settings({ 4: 0x7fffffff }));
  assert.equal(peer.side.connection.state, 'open');
  peer.send(windowUpdate(1, 60_000), settings({ 4: 0x7ffffffe }), settings({ 4: 0x7fffffff }));
  assert.equal(peer.endedWith, undefined);
  assert.deepEqual(streams[0]!.resets, [[FLOW_CONTROL_ERROR, 'local']]);
});

test('credit is announced in halves of the window, for stream and connection', () => {
  const { peer, streams } = serving([1], {
    settings: { initialWindowSize: 100_000 },
    connectionWindow: 200_000,
  });
  const [recorder] = streams as [Recorder];
  recorder.consume = false;
  peer.send(data(1, Buffer.alloc(50_000)), data(1, Buffer.alloc(50_000)));
  recorder.stream!.consumed(49_999);
  assert.deepEqual(peer.numbers(TYPE.WINDOW_UPDATE), []);
  recorder.stream!.consumed(1);
  assert.deepEqual(peer.numbers(TYPE.WINDOW_UPDATE), ['1:50000']);
  recorder.stream!.consumed(1_000_000);
  assert.deepEqual(peer.numbers(TYPE.WINDOW_UPDATE), ['0:100000', '1:50000']);
  recorder.stream!.consumed(50_000);
  assert.deepEqual(peer.frames(), []);
});

test('a peer that sends beyond a window is stopped', () => {
  const { peer, streams } = serving([1], { settings: { initialWindowSize: 70_000 } });
  streams[0]!.consume = false;
  peer.send(data(1, Buffer.alloc(70_000)), data(1, 'x'));
  assert.deepEqual(peer.numbers(TYPE.RST_STREAM), [`1:${FLOW_CONTROL_ERROR}`]);
  const whole = serving([1], { connectionWindow: 70_000, settings: { initialWindowSize: 100_000 } });
  whole.streams[0]!.consume = false;
  whole.peer.send(data(1, Buffer.alloc(70_000)), data(1, 'x'));
  assert.equal(whole.peer.endedWith, FLOW_CONTROL_ERROR);
});

test('a window below the default counts only once the peer has acknowledged it', () => {
  const side = new Side('client', { settings: { initialWindowSize: 30_000 } });
  side.connection.receive(settings());
  const recorder = side.open();
  recorder.consume = false;
  const answer = headers(1, [[':status', '200']]);
  side.connection.receive(Buffer.concat([answer, data(1, Buffer.alloc(40_000))]));
  assert.deepEqual([recorder.bytes.length, recorder.resets], [40_000, []]);
  side.connection.receive(Buffer.concat([settingsAck(), data(1, 'x')]));
  assert.deepEqual(recorder.resets, [[FLOW_CONTROL_ERROR, 'local']]);
  // A stream opened after the acknowledgement has the announced window from the start.
  const later = side.open();
  later.consume = false;
  side.connection.receive(Buffer.concat([headers(3, [[':status', '200']]), data(3, Buffer.alloc(30_001))]));
  assert.deepEqual(later.resets, [[FLOW_CONTROL_ERROR, 'local']]);
});

test('credit that was owed when a smaller window comes into force is announced: the peer may wait for nothing else', () => {
  const { connection, accepted, wire } = new Side('server', { settings: { initialWindowSize: 100 } });
  const received = (...frames: Buffer[]) => {
    connection.receive(Buffer.concat(frames));
    return parseFrames(wire.take());
  };
  received(hello(), headers(1, CONNECT), data(1, Buffer.alloc(100)));
  assert.equal(accepted.get(1)?.bytes.length, 100);
  // By the peer's count its window is 0 from here on: 65,535 less what it sent, less the difference.
  const frames = received(settingsAck());
  assert.deepEqual(
    frames.map(({ type, streamId, payload }) => [type, streamId, payload.readUInt32BE(0)]),
    [[TYPE.WINDOW_UPDATE, 1, 100]],
  );
});

test('bytes that nobody reads any more are credited to the connection', () => {
  const { peer, streams } = serving([1, 3, 5], { connectionWindow: 100_000 });
  const [reset, unread, ended] = streams as [Recorder, Recorder, Recorder];
  for (const recorder of streams) recorder.consume = false;
  peer.send(
    data(1, Buffer.alloc(30_000)),
    data(3, Buffer.alloc(30_000)),
    data(5, Buffer.alloc(30_000), FLAG.END_STREAM),
  );
  reset.stream!.reset(H2Code.CANCEL);
  ended.stream!.end();
  assert.equal(ended.stream!.closed, true);
  ended.stream!.consumed(30_000);
  assert.deepEqual(peer.numbers(TYPE.WINDOW_UPDATE), ['0:60000']);
  assert.equal(unread.stream!.closed, false);
});

test('small chunks are copied: the caller may reuse its buffer, also when they have to wait', () => {
  const { peer, streams } = serving([1]);
  const shared = Buffer.alloc(COPIED_BYTES, 'a');
  const { stream } = streams[0]!;
  stream!.write(shared);
  shared.fill('b');
  assert.equal(
    peer
      .frames()
      .at(-1)
      ?.payload.every(byte => byte === 97),
    true,
  );
  stream!.write(Buffer.alloc(65_535 - COPIED_BYTES));
  peer.frames();
  stream!.write(shared.subarray(0, 3));
  shared.fill('c');
  stream!.write(shared.subarray(0, 3));
  shared.fill('d');
  peer.send(windowUpdate(0, 100), windowUpdate(1, 100));
  assert.equal(peer.frames().at(-1)?.payload.toString(), 'bbbccc');
});

test('while the transport is full data waits, control frames do not pile up unnoticed', () => {
  const { peer, streams } = serving([1]);
  const { wire, connection } = peer.side;
  wire.capacity = 1;
  const { stream } = streams[0]!;
  connection.ping();
  for (const flush of wire.flushes.splice(0)) flush();
  assert.equal(stream!.write(Buffer.from('waits')), false);
  assert.equal(wire.bytes, 17);
  peer.frames();
  connection.drained();
  assert.equal(streams[0]!.drains, 1);
  assert.equal(peer.frames().at(-1)?.payload.toString(), 'waits');
});

for (const [what, finish] of [
  ['its end', (recorder: Recorder) => recorder.stream!.end()],
  ['its trailers', (recorder: Recorder) => recorder.stream!.trailers([['a', 'b']])],
] as const)
  test(`nobody is told to go on after ${what}`, () => {
    const peer = new RawPeer('server');
    peer.send(headers(1, POST), headers(3, POST));
    const [first, second] = [peer.side.accepted.get(1)!, peer.side.accepted.get(3)!];
    // One waits for the window of the connection, the other one for that of its stream.
    peer.send(windowUpdate(1, 100_000));
    assert.equal(first.stream!.write(Buffer.alloc(65_535)), false);
    finish(first);
    peer.send(windowUpdate(0, 65_535));
    assert.equal(second.stream!.write(Buffer.alloc(65_535)), false);
    finish(second);
    peer.send(windowUpdate(0, 10), windowUpdate(1, 10), windowUpdate(3, 10));
    assert.deepEqual([first.drains, second.drains], [0, 0]);
  });

test('a caller that ignores backpressure is reset at the limit; others are not touched', () => {
  const limits = { streamSendBytes: 100_000, connectionSendBytes: 1_000_000 };
  const { peer, streams } = serving([1, 3], { limits });
  const [greedy, modest] = streams as [Recorder, Recorder];
  let written = 0;
  while (greedy.resets.length === 0 && written < 10_000_000) {
    greedy.stream!.write(Buffer.alloc(10_000));
    written += 10_000;
  }
  assert.deepEqual(greedy.resets, [[INTERNAL_ERROR, 'local']]);
  assert.ok(written <= 65_535 + 120_000, `${written} bytes were taken`);
  assert.equal(modest.stream!.closed, false);
  assert.equal(peer.side.connection.state, 'open');
});

test('a peer with closed windows makes us hold no more than the limit over all streams', () => {
  const ids = Array.from({ length: 100 }, (_, i) => i * 2 + 1);
  const { peer, streams } = serving(ids, { limits: { connectionSendBytes: 500_000 } });
  let most = 0;
  for (const { stream } of streams) {
    for (let i = 0; i < 10; i++) stream!.write(Buffer.alloc(10_000));
    most = Math.max(most, peer.side.connection.bufferedBytes);
  }
  assert.ok(most >= 500_000 && most <= 500_000 + 65_535 + 20_000, `${most} bytes are held`);
  peer.frames();
  for (const { stream } of streams) stream!.reset(H2Code.CANCEL);
  peer.frames();
  assert.equal(peer.side.connection.bufferedBytes, 0);
});

test('a bulk transfer does not starve others: they take turns frame by frame', () => {
  const { peer, streams } = serving([1, 3, 5]);
  const [bulk, other, small] = streams as [Recorder, Recorder, Recorder];
  for (const id of [1, 3, 5]) peer.send(windowUpdate(id, 10_000_000));
  bulk.stream!.write(Buffer.alloc(65_535));
  bulk.stream!.write(Buffer.alloc(1_000_000));
  other.stream!.write(Buffer.alloc(200_000));
  small.stream!.write(Buffer.from('me too'));
  peer.frames();
  peer.send(windowUpdate(0, 100_000));
  const order = dataSizes(peer).map(text => text.split(':')[0]);
  assert.ok(order.indexOf('5') < 3, order.join(' '));
  assert.deepEqual(order.slice(0, 5), ['1', '3', '5', '1', '3']);
});

test('a stalled stream does not stall another', () => {
  const pair = new Pair({
    server: { settings: { initialWindowSize: 100_000 }, connectionWindow: 400_000 },
  }).settle();
  const stalled = pair.client.open();
  const free = pair.client.open();
  pair.settle();
  pair.server.accepted.get(1)!.consume = false;
  stalled.stream!.write(Buffer.alloc(300_000));
  pair.settle();
  let rounds = 0;
  const more = () => {
    while (rounds++ < 100 && free.stream!.write(Buffer.alloc(60_000)));
  };
  free.onDrained = more;
  more();
  pair.settle();
  assert.equal(pair.server.accepted.get(1)!.bytes.length, 100_000);
  assert.equal(pair.server.accepted.get(3)!.bytes.length, 6_000_000);
  pair.server.accepted.get(1)!.consume = true;
  pair.server.accepted.get(1)!.stream!.consumed(100_000);
  pair.settle();
  assert.equal(pair.server.accepted.get(1)!.bytes.length, 300_000);
  assert.equal(stalled.drains, 1);
});

function sum(sizes: readonly string[]): number {
  return sizes.reduce((total, size) => total + Number(size.split(':')[1]), 0);
}
