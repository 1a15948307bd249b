/** The state machine of a stream, and what the peer may and may not send in each state (RFC 9113 §5.1, §8). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { H2Code, type Header, STATUS_200 } from '../../../node-proxy/http2/index.ts';
import {
  block,
  data,
  FLAG,
  frame,
  headers,
  numbers,
  reset,
  TYPE,
  windowUpdate,
} from '../../lib/http2-frames.ts';
import { CONNECT, Pair } from '../../lib/http2-pair.ts';
import { RawPeer } from '../../lib/http2-raw-peer.ts';

const { PROTOCOL_ERROR, STREAM_CLOSED, CANCEL, REFUSED_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR } =
  H2Code;
const OK: readonly Header[] = [[':status', '200']];
const GET: readonly Header[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
];
const END = FLAG.END_HEADERS | FLAG.END_STREAM;

test('a tunnel: data both ways, half-close both ways, forgotten by both', () => {
  const pair = settled();
  const { client, server } = pair;
  const near = client.open();
  pair.settle();
  assert.deepEqual(server.requests, [CONNECT]);
  assert.deepEqual(near.headers, [OK]);
  const far = server.accepted.get(1)!;
  near.stream!.write(Buffer.from('ping'));
  near.stream!.end();
  pair.settle();
  assert.equal(far.bytes.toString(), 'ping');
  assert.deepEqual([far.ends, near.ends, near.stream!.closed], [1, 0, false]);
  far.stream!.write(Buffer.alloc(300_000, 'x'));
  far.stream!.end();
  pair.settle();
  assert.equal(near.bytes.length, 300_000);
  assert.deepEqual([near.ends, near.stream!.closed, far.stream!.closed], [1, true, true]);
  assert.deepEqual([client.connection.openStreams, server.connection.openStreams], [0, 0]);
  assert.deepEqual([near.resets, far.resets], [[], []]);
});

test('a reset reaches both users once, and only once', () => {
  const pair = settled();
  const { client, server } = pair;
  const near = client.open();
  pair.settle();
  const far = server.accepted.get(1)!;
  near.stream!.reset(CANCEL);
  near.stream!.reset(PROTOCOL_ERROR);
  far.stream!.write(Buffer.from('crossing'));
  pair.settle();
  assert.deepEqual(near.resets, [[CANCEL, 'local']]);
  assert.deepEqual(far.resets, [[CANCEL, 'peer']]);
  assert.equal(near.bytes.length, 0);
  assert.equal(near.stream!.write(Buffer.from('x')), false);
  assert.equal(client.connection.state, 'open');
});

test('sending after the end is a bug of the caller; ending twice is not', () => {
  const pair = settled();
  const near = pair.client.open();
  pair.settle();
  near.stream!.end();
  near.stream!.end();
  assert.throws(() => near.stream!.write(Buffer.from('x')), { code: 'NM_INVARIANT' });
});

test('END_STREAM rides on the last DATA frame when that has not left yet', () => {
  const peer = new RawPeer('server');
  peer.send(headers(1, CONNECT)).frames();
  const { stream } = peer.side.accepted.get(1)!;
  stream!.write(Buffer.from('a'));
  stream!.write(Buffer.from('b'));
  stream!.end();
  assert.deepEqual(
    peer.frames().map(({ type, flags, payload }) => [type, flags, payload.toString()]),
    [
      [TYPE.DATA, 0, 'a'],
      [TYPE.DATA, FLAG.END_STREAM, 'b'],
    ],
  );
});

test('a message with a body, interim responses and trailers', () => {
  const pair = settled();
  const { client, server } = pair;
  server.accept = ({ stream }) => {
    stream!.respond([[':status', '103']]);
    stream!.respond(OK);
    stream!.write(Buffer.from('body'));
    stream!.trailers([['grpc-status', '0']]);
  };
  const near = client.open(GET, true);
  pair.settle();
  assert.deepEqual(near.headers, [[[':status', '103']], OK, [['grpc-status', '0']]]);
  assert.equal(near.bytes.toString(), 'body');
  assert.deepEqual([near.ends, near.stream!.closed], [1, true]);
});

test('trailers wait for the data before them', () => {
  const pair = settled({ client: { settings: { initialWindowSize: 10 } } });
  pair.server.accept = ({ stream }) => {
    stream!.respond(OK);
    stream!.write(Buffer.from('0123456789abcdef'));
    stream!.trailers([['x', 'y']]);
  };
  const near = pair.client.open(GET, true);
  near.consume = false;
  pair.settle();
  assert.equal(near.bytes.toString(), '0123456789');
  assert.equal(near.headers.length, 1);
  near.stream!.consumed(10);
  pair.settle();
  assert.equal(near.bytes.toString(), '0123456789abcdef');
  assert.deepEqual(near.headers[1], [['x', 'y']]);
});

test('large headers are split into CONTINUATION and put together again', () => {
  const pair = settled({
    client: { settings: { maxFrameSize: 16_384 } },
    server: { settings: { maxFrameSize: 16_384 } },
  });
  const { client, server } = pair;
  const big: Header = ['x-big', 'v'.repeat(50_000)];
  server.accept = ({ stream }) => stream!.respond([...OK, big]);
  const near = client.open([...CONNECT, big]);
  pair.settle();
  assert.deepEqual(server.requests, [[...CONNECT, big]]);
  assert.deepEqual(near.headers, [[...OK, big]]);
});

test('headers that would break out of their field are not sent', () => {
  const { client } = settled();
  for (const field of [
    ['x', 'a\r\nb: c'],
    ['x', 'a\u010db'],
    ['X', 'a'],
    ['x y', 'a'],
    ['x', ' a'],
  ] as const)
    assert.throws(() => client.open([...CONNECT, field]), { code: 'NM_H2_INTERNAL_ERROR' });
  assert.equal(client.connection.openStreams, 0);
});

/** What a client sends to our server, with the stream's reset code or the connection's error expected. */
const TO_SERVER: Record<string, { frames: Buffer[]; stream?: string; connection?: number }> = {
  'DATA on an idle stream': { frames: [data(1, 'x')], connection: PROTOCOL_ERROR },
  'RST_STREAM on an idle stream': { frames: [reset(1, 8)], connection: PROTOCOL_ERROR },
  'WINDOW_UPDATE on an idle stream': { frames: [windowUpdate(1, 8)], connection: PROTOCOL_ERROR },
  'an even stream id': { frames: [headers(2, CONNECT)], connection: PROTOCOL_ERROR },
  'a stream id that goes back': {
    frames: [headers(5, CONNECT), headers(3, CONNECT)],
    connection: STREAM_CLOSED,
  },
  'DATA after END_STREAM': {
    frames: [headers(1, CONNECT), data(1, 'x', FLAG.END_STREAM), data(1, 'y')],
    stream: `1:${STREAM_CLOSED}`,
  },
  'HEADERS after END_STREAM': {
    frames: [headers(1, GET, END), headers(1, [['a', 'b']], END)],
    stream: `1:${STREAM_CLOSED}`,
  },
  'DATA after RST_STREAM': {
    frames: [headers(1, CONNECT), reset(1, 8), data(1, 'y')],
    connection: STREAM_CLOSED,
  },
  'HEADERS in a tunnel': {
    frames: [headers(1, CONNECT), headers(1, [['a', 'b']], END)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'trailers without END_STREAM': {
    frames: [headers(1, GET), headers(1, [['a', 'b']])],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'a pseudo-header in trailers': {
    frames: [headers(1, GET), headers(1, [[':path', 'b']], END)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'a malformed request': { frames: [headers(1, [...GET, ['Upper', 'x']])], stream: `1:${PROTOCOL_ERROR}` },
  'less than content-length': {
    frames: [headers(1, [...GET, ['content-length', '3']]), data(1, 'ab', FLAG.END_STREAM)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'more than content-length': {
    frames: [headers(1, [...GET, ['content-length', '3']]), data(1, 'abcd')],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'no body but a content-length': {
    frames: [headers(1, [...GET, ['content-length', '3']], END)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'WINDOW_UPDATE of 0 on a stream': {
    frames: [headers(1, CONNECT), windowUpdate(1, 0)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'WINDOW_UPDATE of 0 on the connection': { frames: [windowUpdate(0, 0)], connection: PROTOCOL_ERROR },
  'a stream window above 2^31-1': {
    frames: [headers(1, CONNECT), windowUpdate(1, 0x7fffffff)],
    stream: `1:${FLOW_CONTROL_ERROR}`,
  },
  'a connection window above 2^31-1': {
    frames: [windowUpdate(0, 0x7fffffff)],
    connection: FLOW_CONTROL_ERROR,
  },
  'a header list above the limit': {
    frames: [headers(1, [...CONNECT, ['a', 'b'.repeat(1000)]])],
    stream: `1:${ENHANCE_YOUR_CALM}`,
  },
  'padding longer than HEADERS': {
    frames: [frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.PADDED, 1, Buffer.from('\x05abc'))],
    connection: PROTOCOL_ERROR,
  },
  'HEADERS too short for a priority': {
    frames: [frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.PRIORITY, 1, numbers(1))],
    connection: PROTOCOL_ERROR,
  },
  'a broken header block': {
    frames: [frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, Buffer.from('ff', 'hex'))],
    connection: H2Code.COMPRESSION_ERROR,
  },
  'more streams than announced': {
    frames: [1, 3, 5, 7].map(id => headers(id, CONNECT)),
    stream: `7:${REFUSED_STREAM}`,
  },
};

for (const [what, { frames, stream, connection }] of Object.entries(TO_SERVER)) {
  test(`server: ${what}`, () => {
    const peer = new RawPeer('server', { settings: { maxHeaderListSize: 500, maxConcurrentStreams: 3 } });
    peer.send(...frames);
    if (connection !== undefined) {
      assert.equal(peer.endedWith, connection);
      const [error] = peer.side.closed as { by?: string; initiator?: string; h2Code?: number }[];
      assert.deepEqual([error?.by, error?.initiator, error?.h2Code], ['client', 'peer', connection]);
      assert.equal(peer.side.wire.ended, true);
      for (const { resets } of peer.side.accepted.values()) assert.equal(resets.length, 1);
    } else {
      assert.deepEqual(peer.numbers(TYPE.RST_STREAM), [stream]);
      assert.equal(peer.side.connection.state, 'open');
    }
  });
}

/** The same for our client, which has sent `request` on stream 1. */
const TO_CLIENT: Record<
  string,
  { request?: readonly Header[]; frames: Buffer[]; stream?: string; connection?: number }
> = {
  'DATA before the response': { frames: [data(1, 'x')], stream: `1:${PROTOCOL_ERROR}` },
  'a response without :status': { frames: [headers(1, [['a', 'b']])], stream: `1:${PROTOCOL_ERROR}` },
  'a 101': { frames: [headers(1, [[':status', '101']])], stream: `1:${PROTOCOL_ERROR}` },
  'an interim response that ends': {
    frames: [headers(1, [[':status', '100']], END)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'HEADERS in a tunnel': {
    frames: [headers(1, OK), headers(1, [['a', 'b']], END)],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'a stream of the server': { frames: [headers(2, OK)], connection: PROTOCOL_ERROR },
  'a response to nothing': { frames: [headers(3, OK)], connection: PROTOCOL_ERROR },
  'a body on the response to HEAD': {
    request: [[':method', 'HEAD'], ...GET.slice(1)],
    frames: [headers(1, [...OK, ['content-length', '5']]), data(1, 'hello')],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'a body on 204': {
    request: GET,
    frames: [headers(1, [[':status', '204']]), data(1, 'hello')],
    stream: `1:${PROTOCOL_ERROR}`,
  },
  'ENABLE_PUSH from a server': {
    frames: [frame(TYPE.SETTINGS, 0, 0, Buffer.from('000200000001', 'hex'))],
    connection: PROTOCOL_ERROR,
  },
};

for (const [what, { request, frames, stream, connection }] of Object.entries(TO_CLIENT)) {
  test(`client: ${what}`, () => {
    const peer = new RawPeer('client');
    const recorder = peer.side.open(request ?? CONNECT);
    peer.frames();
    peer.send(...frames);
    if (connection !== undefined) {
      assert.equal(peer.endedWith, connection);
      assert.deepEqual(recorder.resets, [[connection, 'connection']]);
    } else {
      assert.deepEqual(peer.numbers(TYPE.RST_STREAM), [stream]);
      assert.equal(recorder.resets[0]?.[1], 'local');
    }
  });
}

test('HEAD, 204 and 304 may promise a length that never comes', () => {
  const peer = new RawPeer('client');
  const head = peer.side.open([[':method', 'HEAD'], ...GET.slice(1)], true);
  const get = peer.side.open(GET, true);
  peer.send(
    headers(1, [...OK, ['content-length', '5']], END),
    headers(
      3,
      [
        [':status', '304'],
        ['content-length', '5'],
      ],
      END,
    ),
  );
  assert.deepEqual([head.ends, get.ends], [1, 1]);
});

test('content-length on the answer to CONNECT means nothing', () => {
  const peer = new RawPeer('client');
  const tunnel = peer.side.open();
  peer.send(headers(1, [...OK, ['content-length', '1']]), data(1, 'hello', FLAG.END_STREAM));
  assert.deepEqual([tunnel.bytes.toString(), tunnel.ends], ['hello', 1]);
});

test('a CONNECT that is refused is a message like any other', () => {
  const peer = new RawPeer('client');
  const refused = peer.side.open();
  peer.send(headers(1, [[':status', '503']]), data(1, 'why'), headers(1, [['a', 'b']], END));
  assert.deepEqual([refused.bytes.toString(), refused.ends, refused.headers.length], ['why', 1, 2]);
});

test('frames for a stream that we have just reset are ignored, but credited and kept in step', () => {
  const peer = new RawPeer('server', { connectionWindow: 65_535, settings: { maxConcurrentStreams: 10 } });
  peer.send(headers(1, GET));
  peer.side.accepted.get(1)!.stream!.reset(CANCEL);
  peer.frames();
  // The block adds a field to the table; the next request refers to it.
  const trailers = Buffer.concat([Buffer.from('4001780179', 'hex')]);
  peer.send(data(1, Buffer.alloc(16_000)), data(1, Buffer.alloc(16_800)), windowUpdate(1, 1), reset(1, 8));
  assert.deepEqual(peer.numbers(TYPE.WINDOW_UPDATE), ['0:32800']);
  peer.send(headers(3, GET));
  peer.side.accepted.get(3)!.stream!.reset(CANCEL);
  peer.send(frame(TYPE.HEADERS, END, 3, trailers));
  peer.send(frame(TYPE.HEADERS, END, 5, Buffer.concat([block(GET), Buffer.from('be', 'hex')])));
  assert.deepEqual(peer.side.requests.at(-1), [...GET, ['x', 'y']]);
  assert.equal(peer.side.connection.state, 'open');
});

test('padding and priority on HEADERS, and PRIORITY, are understood and ignored', () => {
  const peer = new RawPeer('server');
  const padded = Buffer.concat([
    Buffer.from([3]),
    numbers(0x80000000),
    Buffer.from([1]),
    block(CONNECT),
    Buffer.alloc(3),
  ]);
  peer.send(
    frame(TYPE.PRIORITY, 0, 1, Buffer.alloc(4)),
    frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.PADDED | FLAG.PRIORITY, 1, padded),
    frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from('\x02hi\0\0')),
    frame(0x77, 3, 1, Buffer.from('unknown')),
  );
  assert.deepEqual(peer.side.requests, [CONNECT]);
  assert.equal(peer.side.accepted.get(1)!.bytes.toString(), 'hi');
});

test('a server without onStream refuses every stream', () => {
  const peer = new RawPeer('server', { events: { onReady() {}, onGoaway() {}, onClosed() {} } });
  peer.send(headers(1, CONNECT));
  assert.deepEqual(peer.numbers(TYPE.RST_STREAM), [`1:${REFUSED_STREAM}`]);
});

test('precomputed headers are sent as they are', () => {
  const peer = new RawPeer('server');
  peer.side.accept = ({ stream }) => stream!.respond(STATUS_200);
  peer.send(headers(1, CONNECT));
  const [answer] = peer.frames();
  assert.equal(answer?.payload.toString('hex'), '88');
});

function settled(options?: ConstructorParameters<typeof Pair>[0]): Pair {
  return new Pair(options).settle();
}
