/** Our HTTP/2 against Node's (nghttp2), each in both roles, over real sockets. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { after, test } from 'node:test';
import tls from 'node:tls';
import { H2Code, STATUS_200 } from '../../node-proxy/http2/index.ts';
import { leaf, rootAuthority } from '../lib/authority.ts';
import { attach, Bulk, chunks, digestOf, Waiting } from '../lib/http2-socket.ts';

const BULK_BYTES = 100_000_000;
const CONNECT_HEADERS = [
  [':method', 'CONNECT'],
  [':authority', '10.1.2.3:80'],
  ['baggage', 'k8s.namespace.name=shop,k8s.pod.name=cart-1'],
  ['forwarded', 'for="10.1.2.4:4711"'],
] as const;

const cleanups: (() => void)[] = [];
after(() => {
  for (const cleanup of cleanups.reverse()) cleanup();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  cleanups.push(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Our server; each stream gets a Bulk, handed to `onStream` after 200 was sent. */
async function ourServer(
  onStream: (bulk: Bulk, headers: Record<string, string>) => void,
  wrap: (socket: Socket) => Socket = socket => socket,
): Promise<number> {
  const server = createServer({ allowHalfOpen: true, highWaterMark: 1 << 20 }, raw => {
    const socket = wrap(raw);
    cleanups.push(() => socket.destroy());
    attach(
      socket,
      'server',
      new Waiting((stream, headers) => {
        const bulk = new Bulk();
        bulk.stream = stream;
        stream.respond(STATUS_200);
        queueMicrotask(() => onStream(bulk, Object.fromEntries(headers)));
        return bulk;
      }),
    );
  });
  return listen(server);
}

async function nodeClient(port: number, options: http2.ClientSessionOptions = {}) {
  const session = http2.connect(`http://127.0.0.1:${port}`, options);
  cleanups.push(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** node:http2 as the server; the caller gets each stream with its headers. */
async function nodeServer(
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  settings: http2.Settings = {},
) {
  const server = http2.createServer({ settings });
  server.on('stream', (stream, headers) => onStream(stream as http2.ServerHttp2Stream, headers));
  const sessions: http2.ServerHttp2Session[] = [];
  server.on('session', session => {
    sessions.push(session);
    cleanups.push(() => session.destroy());
  });
  return { port: await listen(server as unknown as Server), sessions };
}

async function ourClient(port: number) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  cleanups.push(() => socket.destroy());
  const events = new Waiting();
  const connection = attach(socket, 'client', events);
  await events.ready.promise;
  const open = (headers: readonly (readonly [string, string])[] = CONNECT_HEADERS, endStream = false) => {
    const bulk = new Bulk();
    bulk.stream = connection.request(headers, bulk, endStream);
    return bulk;
  };
  return { connection, events, open, socket };
}

test('node:http2 as client: 100 MB each way through one CONNECT stream of ours', async () => {
  const seen: Record<string, string>[] = [];
  let server: Bulk | undefined;
  const port = await ourServer((bulk, headers) => {
    seen.push(headers);
    server = bulk;
    bulk.send(chunks(BULK_BYTES, 1));
  });
  const session = await nodeClient(port, { settings: { initialWindowSize: 1 << 20, enablePush: false } });
  session.setLocalWindowSize(4 << 20);
  const stream = session.request(
    { ':method': 'CONNECT', ':authority': '10.1.2.3:80', baggage: 'k8s.pod.name=ä' },
    { endStream: false },
  );
  const hash = createHash('sha1');
  stream.on('data', chunk => hash.update(chunk));
  const source = chunks(BULK_BYTES, 2);
  for (const chunk of source) if (!stream.write(chunk)) await once(stream, 'drain');
  stream.end();
  await finished(stream);
  assert.equal(hash.digest('hex'), digestOf(chunks(BULK_BYTES, 1)));
  await server!.ended.promise;
  assert.equal(server!.hash.digest('hex'), digestOf(chunks(BULK_BYTES, 2)));
  assert.equal(seen[0]?.[':authority'], '10.1.2.3:80');
  session.close();
  await once(session, 'close');
});

test('node:http2 as server: 100 MB each way through one CONNECT stream of ours', async () => {
  const { port } = await nodeServer(
    (stream, headers) => {
      assert.equal(headers[':method'], 'CONNECT');
      assert.equal(headers['forwarded'], 'for="10.1.2.4:4711"');
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    },
    { initialWindowSize: 1 << 20, maxFrameSize: 1 << 20 },
  );
  const { open, connection, events } = await ourClient(port);
  const bulk = open();
  assert.deepEqual((await bulk.headers.promise)[0], [':status', '200']);
  bulk.send(chunks(BULK_BYTES, 3));
  await bulk.ended.promise;
  assert.equal(bulk.hash.digest('hex'), digestOf(chunks(BULK_BYTES, 3)));
  connection.goaway();
  assert.equal(await events.closed.promise, undefined);
});

test('both ends ours, over mutual TLS: 100 MB echoed, many streams beside it', async () => {
  const root = await rootAuthority({ from: Date.now() - 3_600_000, to: Date.now() + 3_600_000 });
  const { key, certPem } = await leaf(root, { from: Date.now() - 60_000, to: Date.now() + 60_000 });
  const material = { key: key.privateKeyPem, cert: certPem, ca: root.certPem, ALPNProtocols: ['h2'] };
  const secure = tls.createServer({ ...material, requestCert: true, rejectUnauthorized: true }, socket => {
    cleanups.push(() => socket.destroy());
    attach(
      socket,
      'server',
      new Waiting(stream => {
        stream.respond(STATUS_200);
        return new Echo(stream);
      }),
    );
  });
  const port = await listen(secure as unknown as Server);
  const socket = tls.connect({ ...material, port, host: '127.0.0.1', checkServerIdentity: () => undefined });
  const events = new Waiting();
  const connection = attach(socket, 'client', events);
  await events.ready.promise;
  const bulks = Array.from({ length: 50 }, (_, i) => {
    const bulk = new Bulk();
    bulk.stream = connection.request(CONNECT_HEADERS, bulk);
    bulk.send(chunks(i === 0 ? BULK_BYTES : 20_000, i));
    return bulk;
  });
  await Promise.all(bulks.map(bulk => bulk.ended.promise));
  bulks.forEach((bulk, i) => {
    assert.equal(bulk.hash.digest('hex'), digestOf(chunks(i === 0 ? BULK_BYTES : 20_000, i)), `stream ${i}`);
  });
  assert.equal(connection.openStreams, 0);
  connection.goaway();
  assert.equal(await events.closed.promise, undefined);
});

test('a node:http2 server ends its half first, ours goes on', async () => {
  const received = Promise.withResolvers<string>();
  const { port } = await nodeServer(stream => {
    stream.respond({ ':status': 200 });
    stream.end('bye');
    let text = '';
    stream.on('data', chunk => {
      text += chunk;
    });
    stream.on('end', () => received.resolve(text));
  });
  const { open } = await ourClient(port);
  const bulk = open();
  await bulk.ended.promise;
  assert.equal(bulk.bytes, 3);
  assert.equal(bulk.stream!.closed, false);
  bulk.stream!.write(Buffer.from('still '));
  bulk.stream!.write(Buffer.from('here'));
  bulk.stream!.end();
  assert.equal(await received.promise, 'still here');
  assert.equal(bulk.stream!.closed, true);
});

test('a node:http2 client ends its half first, ours goes on', async () => {
  const port = await ourServer(async bulk => {
    await bulk.ended.promise;
    bulk.stream!.write(Buffer.from('after the end'));
    bulk.stream!.end();
  });
  const session = await nodeClient(port);
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'a:1' }, { endStream: false });
  stream.end('x');
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += chunk;
  assert.equal(text, 'after the end');
});

test('resets carry their code both ways', async () => {
  const { port } = await nodeServer(stream => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.close(http2.constants.NGHTTP2_CONNECT_ERROR);
  });
  const { open } = await ourClient(port);
  assert.equal(await open().reset.promise, H2Code.CONNECT_ERROR);

  const ours = await ourServer(bulk => bulk.stream!.reset(H2Code.REFUSED_STREAM));
  const session = await nodeClient(ours);
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'a:1' }, { endStream: false });
  stream.on('error', () => {});
  await new Promise(resolve => stream.once('close', resolve));
  assert.equal(stream.rstCode, H2Code.REFUSED_STREAM);
});

test('GOAWAY of a node:http2 server lets open streams finish and refuses new ones', async () => {
  const { port, sessions } = await nodeServer(stream => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  const { open, connection, events } = await ourClient(port);
  const bulk = open();
  await bulk.headers.promise;
  sessions[0]!.close();
  assert.equal(await events.goaway.promise, H2Code.NO_ERROR);
  assert.equal(connection.state, 'draining');
  assert.equal(connection.canOpen, false);
  bulk.send(chunks(200_000, 9));
  await bulk.ended.promise;
  assert.equal(bulk.hash.digest('hex'), digestOf(chunks(200_000, 9)));
  assert.equal(await events.closed.promise, undefined);
});

test('GOAWAY of ours lets the open streams of a node:http2 client finish', async () => {
  const events = new Waiting(stream => {
    stream.respond(STATUS_200);
    return new Echo(stream);
  });
  const connections: ReturnType<typeof attach>[] = [];
  const server = createServer(socket => connections.push(attach(socket, 'server', events)));
  const session = await nodeClient(await listen(server));
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'a:1' }, { endStream: false });
  await once(stream, 'response');
  const goaway = once(session, 'goaway');
  connections[0]!.goaway();
  await goaway;
  stream.end('the rest');
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += chunk;
  assert.equal(text, 'the rest');
  assert.equal(await events.closed.promise, undefined);
});

test('pings are answered both ways', async () => {
  const { port } = await nodeServer(() => {});
  const { connection, events } = await ourClient(port);
  connection.ping();
  await events.pong.promise;

  const session = await nodeClient(await ourServer(() => {}));
  const payload = Buffer.from('12345678');
  const echoed = await new Promise<Buffer>((resolve, reject) =>
    session.ping(payload, (error, _ms, answer) => (error === null ? resolve(answer) : reject(error))),
  );
  assert.deepEqual(echoed, payload);
});

test('requests with bodies, trailers and every octet that a value may hold', async () => {
  const value = Buffer.from(
    Array.from({ length: 256 }, (_, i) => i).filter(i => (i > 0x20 && i < 0x7f) || i > 0x7f),
  ).toString('latin1');
  const { port } = await nodeServer((stream, headers) => {
    stream.respond({ ':status': 200, echo: headers['value'] }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('trailers', trailers => stream.end(JSON.stringify(trailers)));
    stream.resume();
  });
  const { connection } = await ourClient(port);
  const lists: (readonly (readonly [string, string])[])[] = [];
  const done = Promise.withResolvers<void>();
  let text = '';
  const stream = connection.request(
    [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/a?b'],
      [':authority', 'x:1'],
      ['value', value],
    ],
    {
      onHeaders: headers => void lists.push(headers),
      onData: chunk => {
        text += chunk;
      },
      onEnd: () => done.resolve(),
      onReset: code => done.reject(new Error(`reset ${code}`)),
      onDrain() {},
    },
  );
  stream.write(Buffer.from('body'));
  stream.trailers([['checksum', '1']]);
  await done.promise;
  assert.equal(lists[0]!.find(([name]) => name === 'echo')?.[1], value);
  assert.deepEqual(lists[1], [['grpc-status', '0']]);
  assert.match(text, /"checksum":"1"/);
});

class Echo extends Bulk {
  constructor(stream: Bulk['stream']) {
    super();
    this.stream = stream;
  }

  override onData(chunk: Buffer): void {
    this.#unsent += chunk.length;
    if (this.stream!.write(chunk)) this.onDrain();
  }

  #unsent = 0;

  override onDrain(): void {
    this.stream!.consumed(this.#unsent);
    this.#unsent = 0;
  }

  override onEnd(): void {
    this.stream!.end();
  }
}
