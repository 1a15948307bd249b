import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { H2Client, h2Server } from '../../lib/http-policy/h2-peers.ts';
import { Hop } from '../../lib/http-policy/hop.ts';
import { eventually } from '../../lib/http-policy/loopback.ts';
import {
  data,
  FLAG,
  frame,
  headers,
  hello,
  parseFrames,
  ping,
  reset,
  settings,
  settingsAck,
  TYPE,
} from '../../lib/http2-frames.ts';

const ENHANCE_YOUR_CALM = 0xb;
const NO_FLAGS = 0;

let asked = 0;
const server = await h2Server((stream, fields) => {
  asked += 1;
  if (fields[':path'] === '/never') return;
  stream.respond({ ':status': 200 }, { endStream: true });
});
const hop = new Hop({ replicas: [server.address] });
const port = await hop.listen();
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
after(async () => {
  await hop.close();
  server.close();
});

const GET = (path = '/') =>
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a.shop'],
  ] as const;

/** A client that writes frames by hand, and keeps what comes back. */
async function raw(to = port): Promise<{ socket: Socket; bytes: () => Buffer; closed: Promise<unknown> }> {
  const socket = connect(to, '127.0.0.1');
  sockets.push(socket);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  socket.on('error', () => {});
  const closed = new Promise(resolve => socket.once('close', resolve));
  await once(socket, 'connect');
  socket.write(hello());
  return { socket, bytes: () => Buffer.concat(chunks), closed };
}

/** The code of the GOAWAY that ended it. */
function goawayOf(bytes: Buffer): number | undefined {
  return parseFrames(bytes)
    .findLast(({ type }) => type === TYPE.GOAWAY)
    ?.payload.readUInt32BE(4);
}

test('rapid reset: GOAWAY, and what was asked of the application is bounded', async () => {
  const { socket, bytes, closed } = await raw();
  const before = asked;
  for (let id = 1; id < 20_000; id += 2)
    socket.write(
      Buffer.concat([headers(id, GET('/never'), FLAG.END_HEADERS | FLAG.END_STREAM), reset(id, 8)]),
    );
  await closed;
  assert.equal(goawayOf(bytes()), ENHANCE_YOUR_CALM);
  assert.ok(asked - before <= 1_100, `${asked - before} requests reached the application`);
});

test('floods of PING, SETTINGS, empty DATA and CONTINUATION end in GOAWAY', async () => {
  const floods: Record<string, Buffer> = {
    PING: ping(),
    SETTINGS: settings(),
    'empty DATA': data(1, ''),
    CONTINUATION: frame(TYPE.CONTINUATION, NO_FLAGS, 3, Buffer.alloc(16)),
  };
  for (const [name, one] of Object.entries(floods)) {
    const { socket, bytes, closed } = await raw();
    if (name === 'empty DATA') socket.write(headers(1, GET('/never')));
    if (name === 'CONTINUATION') socket.write(headers(3, GET(), NO_FLAGS));
    socket.write(Buffer.concat(Array.from({ length: 3_000 }, () => one)));
    await closed;
    assert.equal(goawayOf(bytes()), ENHANCE_YOUR_CALM, name);
  }
});

test('what is not HTTP/2 is counted and cut, and the application never sees it', async () => {
  const before = asked;
  const { socket, bytes, closed } = await raw();
  socket.write('GET / HTTP/1.1\r\nhost: a.shop\r\n\r\n');
  await closed;
  assert.equal(goawayOf(bytes()), 6);
  assert.equal(asked, before);
});

test('more streams than are allowed are refused, and may be tried again', async () => {
  const narrow = new Hop({ replicas: [server.address], limits: { streamsPerConnection: 2 } });
  const { socket, bytes } = await raw(await narrow.listen());
  for (const id of [1, 3, 5]) socket.write(headers(id, GET('/never'), FLAG.END_HEADERS | FLAG.END_STREAM));
  await eventually(() => {
    const resets = parseFrames(bytes()).filter(({ type }) => type === TYPE.RST_STREAM);
    assert.deepEqual(
      resets.map(({ streamId, payload }) => [streamId, payload.readUInt32BE(0)]),
      [[5, 7]],
    );
  });
  await narrow.close();
});

test('a body that is not as long as was said ends the request at the application', async () => {
  const { socket, bytes } = await raw();
  const post = [[':method', 'POST'], ...GET('/never').slice(1), ['content-length', '5']] as never;
  socket.write(Buffer.concat([headers(1, post), data(1, 'four', FLAG.END_STREAM)]));
  await eventually(() => {
    const [first] = parseFrames(bytes()).filter(({ type }) => type === TYPE.RST_STREAM);
    assert.equal(first?.payload.readUInt32BE(0), 1);
  });
  await eventually(() => assert.equal(hop.entries.at(-1)?.reason, 'bad_request'));
});

test('an application that breaks HTTP/2: 502 with the reason', async () => {
  const broken = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.concat([settings(), settingsAck()]));
      // A response on a stream that nobody opened.
      socket.on('data', () => socket.write(headers(2, [[':status', '200']])));
    });
  });
  broken.listen(0, '127.0.0.1');
  await once(broken, 'listening');
  const wrong = new Hop({ replicas: [`127.0.0.1:${(broken.address() as AddressInfo).port}`] });
  const client = new H2Client(await wrong.listen());
  const answer = await client.ask({ ':path': '/' });
  assert.equal(answer.status, 502);
  assert.match(answer.body.toString(), /bad_response: .*PROTOCOL_ERROR/);
  client.close();
  await wrong.close();
  broken.close();
});
