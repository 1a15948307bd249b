/** From preface to end: SETTINGS, PING, GOAWAY both ways, a lost transport (RFC 9113 §3.4, §6.5, §6.7, §6.8). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { H2Code, H2Connection, H2Error } from '../../../node-proxy/http2/index.ts';
import {
  data,
  FLAG,
  frame,
  goaway,
  headers,
  hello,
  parseFrames,
  ping,
  settings,
  settingsAck,
  TYPE,
} from '../../lib/http2-frames.ts';
import { CONNECT, Pair, Recorder, Side } from '../../lib/http2-pair.ts';
import { RawPeer } from '../../lib/http2-raw-peer.ts';

const { NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, INTERNAL_ERROR } = H2Code;
const OK = [[':status', '200']] as const;

test('what each role says first', () => {
  const opening = (role: 'client' | 'server') => {
    const bytes = new Side(role, { settings: { maxFrameSize: 16_384 } }).wire.take();
    return { preface: bytes.toString('latin1', 0, 3), frames: parseFrames(bytes) };
  };
  const client = opening('client');
  assert.equal(client.preface, 'PRI');
  assert.deepEqual(
    client.frames.map(({ type, payload }) => [type, payload.toString('hex')]),
    [
      [TYPE.SETTINGS, '000200000000' + '000400400000' + '000500004000' + '000600010000'],
      [TYPE.WINDOW_UPDATE, (16 * 1024 * 1024 - 65_535).toString(16).padStart(8, '0')],
    ],
  );
  const server = opening('server');
  assert.equal(server.frames[0]?.payload.toString('hex').slice(0, 12), '0003000000c8');
});

test('opening, open, ready once; SETTINGS are acknowledged', () => {
  const side = new Side('server');
  assert.equal(side.connection.state, 'opening');
  side.wire.take();
  side.connection.receive(hello());
  assert.deepEqual([side.connection.state, side.ready], ['open', 1]);
  side.connection.receive(Buffer.concat([settingsAck(), settings({ 5: 20_000 })]));
  assert.equal(side.ready, 1);
  assert.deepEqual(
    parseFrames(side.wire.take()).map(({ type, flags }) => [type, flags]),
    [
      [TYPE.SETTINGS, FLAG.ACK],
      [TYPE.SETTINGS, FLAG.ACK],
    ],
  );
});

for (const [what, payload, code] of [
  ['ENABLE_PUSH 2', '000200000002', PROTOCOL_ERROR],
  ['INITIAL_WINDOW_SIZE 2^31', '000480000000', H2Code.FLOW_CONTROL_ERROR],
  ['MAX_FRAME_SIZE 16,383', '000500003fff', PROTOCOL_ERROR],
  ['MAX_FRAME_SIZE 2^24', '000501000000', PROTOCOL_ERROR],
  ['ENABLE_CONNECT_PROTOCOL 2', '000800000002', PROTOCOL_ERROR],
  ['ENABLE_CONNECT_PROTOCOL taken back', '000800000001000800000000', PROTOCOL_ERROR],
] as const) {
  test(`SETTINGS that can't be: ${what}`, () => {
    const peer = new RawPeer('server');
    peer.send(frame(TYPE.SETTINGS, 0, 0, Buffer.from(payload, 'hex')));
    assert.equal(peer.endedWith, code);
  });
}

test('unknown settings are ignored', () => {
  const peer = new RawPeer('server').send(settings({ 153: 7, 65535: 1 }));
  assert.equal(peer.side.connection.state, 'open');
});

test('a lowered HEADER_TABLE_SIZE is followed by a table size update in the next block', () => {
  const peer = new RawPeer('server').send(settings({ 1: 100 }));
  peer.frames();
  peer.send(headers(1, CONNECT), headers(3, CONNECT));
  assert.deepEqual(
    peer.frames().map(({ payload }) => payload.toString('hex')),
    ['2088', '88'],
  );
});

test('… also when it is raised again in the same frame: the smallest size between two blocks counts', () => {
  const table = (bytes: number) => Buffer.from([0, 1, 0, 0, bytes >> 8, bytes & 0xff]);
  const both = frame(TYPE.SETTINGS, 0, 0, Buffer.concat([table(0), table(4096)]));
  const peer = new RawPeer('server').send(both);
  peer.frames();
  peer.send(headers(1, CONNECT));
  assert.equal(peer.frames()[0]?.payload.toString('hex'), '2088');
});

test("the peer's limits are kept: streams, frame size, header list", () => {
  const peer = new RawPeer('client');
  assert.equal(peer.side.connection.canOpen, true);
  peer.send(settings({ 3: 1, 5: 16_384 }));
  const first = peer.side.open();
  assert.equal(peer.side.connection.canOpen, false);
  assert.throws(
    () => peer.side.open(),
    (error: H2Error) => {
      assert.ok(error instanceof H2Error);
      return (
        error.h2Code === REFUSED_STREAM && error.initiator === 'local' && /no more than 1/.test(error.message)
      );
    },
  );
  peer.send(headers(1, OK));
  peer.frames();
  first.stream!.write(Buffer.alloc(40_000));
  assert.deepEqual(
    peer.frames().map(({ payload }) => payload.length),
    [16_384, 16_384, 7232],
  );
  first.stream!.reset(CANCEL);
  assert.equal(peer.side.connection.canOpen, true);
  peer.send(settings({ 6: 100 }));
  assert.throws(() => peer.side.open([...CONNECT, ['a', 'b'.repeat(100)]]), /header list/);
});

test('a client asks only when the connection is open, a server never', () => {
  const early = new Side('client');
  assert.equal(early.connection.canOpen, false);
  assert.throws(() => early.open(), /opening/);
  assert.throws(() => new RawPeer('server').side.open(), /only a client/);
});

test('PING is answered with its payload, ours is counted when it comes back', () => {
  const peer = new RawPeer('server').send(ping());
  const [pong] = peer.frames();
  assert.deepEqual([pong?.type, pong?.flags, pong?.payload.toString()], [TYPE.PING, FLAG.ACK, 'pingping']);
  peer.side.connection.ping();
  const [ours] = peer.frames();
  peer.send(ping(FLAG.ACK));
  assert.equal(peer.side.pongs, 0);
  peer.send(frame(TYPE.PING, FLAG.ACK, 0, ours!.payload));
  assert.equal(peer.side.pongs, 1);
});

test('a server drains in two steps: streams under way are served, later ones are not', () => {
  const peer = new RawPeer('server').send(headers(1, CONNECT));
  const { connection } = peer.side;
  peer.frames();
  connection.goaway();
  connection.goaway();
  const [first, probe, ...rest] = peer.frames();
  assert.deepEqual(
    [first?.payload.readUInt32BE(0), rest.length, connection.state],
    [0x7fffffff, 0, 'draining'],
  );
  // Sent before our GOAWAY arrived:
  peer.send(headers(3, CONNECT));
  assert.equal(peer.side.requests.length, 2);
  peer.send(frame(TYPE.PING, FLAG.ACK, 0, probe!.payload));
  const final = peer.frames().at(-1);
  assert.deepEqual([final?.type, final?.payload.readUInt32BE(0)], [TYPE.GOAWAY, 3]);
  // Sent after it arrived, against the rules: ignored.
  peer.send(headers(5, CONNECT), data(5, 'x'));
  assert.equal(peer.side.requests.length, 2);
  peer.send(data(1, '', FLAG.END_STREAM), data(3, '', FLAG.END_STREAM));
  peer.side.accepted.get(1)!.stream!.end();
  assert.equal(connection.state, 'draining');
  peer.side.accepted.get(3)!.stream!.end();
  assert.deepEqual([connection.state, peer.side.wire.ended, peer.side.closed], ['closed', true, [undefined]]);
});

test('a client that drains finishes its streams, then ends', () => {
  const pair = new Pair().settle();
  const near = pair.client.open();
  pair.settle();
  pair.client.connection.goaway();
  assert.equal(pair.client.connection.canOpen, false);
  pair.settle();
  assert.deepEqual(pair.server.goaways, [[NO_ERROR, 0]]);
  near.stream!.write(Buffer.from('late'));
  near.stream!.end();
  pair.settle();
  const far = pair.server.accepted.get(1)!;
  assert.equal(far.bytes.toString(), 'late');
  far.stream!.end();
  pair.settle();
  assert.deepEqual([pair.client.closed, pair.server.closed], [[undefined], [undefined]]);
});

test("the peer's GOAWAY refuses the streams above its last one, which may be tried elsewhere", () => {
  const peer = new RawPeer('client');
  const [served, refused] = [peer.side.open(), peer.side.open()];
  peer.send(goaway(1, NO_ERROR));
  assert.deepEqual(peer.side.goaways, [[NO_ERROR, 1]]);
  assert.deepEqual([served.resets, refused.resets], [[], [[REFUSED_STREAM, 'peer']]]);
  assert.deepEqual([peer.side.connection.state, peer.side.connection.canOpen], ['draining', false]);
  assert.throws(() => peer.side.open(), /draining/);
  peer.send(headers(1, OK), data(1, 'x', FLAG.END_STREAM));
  served.stream!.end();
  assert.deepEqual([served.bytes.toString(), peer.side.closed], ['x', [undefined]]);
});

test('GOAWAY with no stream open ends the connection', () => {
  const peer = new RawPeer('client').send(goaway(0, NO_ERROR));
  assert.deepEqual([peer.side.closed, peer.side.wire.ended], [[undefined], true]);
});

test('a lost transport resets every stream and says why', () => {
  const peer = new RawPeer('client');
  const [one, two] = [peer.side.open(), peer.side.open()];
  const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  peer.side.connection.transportEnded(cause);
  peer.side.connection.transportEnded(cause);
  assert.deepEqual(one.resets, [[INTERNAL_ERROR, 'connection']]);
  assert.deepEqual(two.resets, one.resets);
  const [error, ...more] = peer.side.closed as H2Error[];
  assert.deepEqual(
    [error?.initiator, error?.cause, error?.by, more.length],
    ['transport', cause, 'upstream', 0],
  );
  assert.equal(peer.side.connection.state, 'closed');
});

test('a transport that ends with nothing open is no error', () => {
  const peer = new RawPeer('server');
  peer.side.connection.transportEnded();
  assert.deepEqual(peer.side.closed, [undefined]);
});

test('destroy: at once, or with a word to the peer', () => {
  const silent = new RawPeer('server').send(headers(1, CONNECT));
  silent.side.connection.destroy();
  silent.side.connection.destroy();
  assert.deepEqual([silent.side.wire.destroyed, silent.side.wire.ended], [true, false]);
  assert.deepEqual(silent.side.accepted.get(1)!.resets, [[CANCEL, 'connection']]);
  assert.deepEqual(silent.side.closed, [undefined]);
  const polite = new RawPeer('server');
  polite.side.connection.destroy(H2Code.ENHANCE_YOUR_CALM);
  assert.equal(polite.endedWith, H2Code.ENHANCE_YOUR_CALM);
  polite.send(headers(1, CONNECT));
  assert.equal(polite.side.requests.length, 0);
});

test('a user may end everything from within any event', () => {
  for (const event of ['onHeaders', 'onData', 'onEnd', 'onReset'] as const) {
    const peer = new RawPeer('client');
    const first = peer.side.open();
    const second = peer.side.open();
    (first as unknown as Record<string, () => void>)[event] = () => peer.side.connection.destroy();
    peer.send(headers(1, OK), data(1, 'x'), data(1, 'y', FLAG.END_STREAM), headers(3, OK));
    if (event === 'onReset') first.stream!.reset(CANCEL);
    assert.equal(peer.side.connection.state, 'closed', event);
    assert.deepEqual([second.resets.length, peer.side.closed.length], [1, 1], event);
    if (event !== 'onReset') assert.equal(second.headers.length, 0);
  }
});

test('flushing waits for the end of the turn by default', async () => {
  const written: Buffer[] = [];
  const connection = new H2Connection({
    role: 'client',
    events: { onReady() {}, onGoaway() {}, onClosed() {} },
    transport: { write: chunk => written.push(chunk) > 0, end() {}, destroy() {} },
  });
  connection.receive(settings());
  connection.request(CONNECT, new Recorder());
  connection.ping();
  assert.equal(written.length, 0);
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(written.length, 1);
  assert.deepEqual(
    parseFrames(written[0]!).map(({ type }) => type),
    [TYPE.SETTINGS, TYPE.WINDOW_UPDATE, TYPE.SETTINGS, TYPE.HEADERS, TYPE.PING],
  );
});
