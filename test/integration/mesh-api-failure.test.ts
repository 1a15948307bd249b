/** Silence, slow readers, strangers and nonsense on the mesh API. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import tls from 'node:tls';
import { BEAT_MS, LineReader, MAX_LINE_BYTES, MeshClient, type NameState, SILENCE_MS } from '#api';
import { firstWhere } from '#base/watch.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { boundTo, connected, down, Heard, meshRig, type Rig, TRUST_DOMAIN } from '../lib/mesh-rig.ts';

const CART = '/svc/shop/cart/http';
let rig: Rig;
let sessions: ClientHttp2Session[];
beforeEach(async () => {
  rig = await meshRig();
  sessions = [];
});
afterEach(async () => {
  for (const session of sessions) session.destroy();
  await rig.close();
});

const turn = () => new Promise(resolve => setImmediate(resolve));

/** A client that speaks the protocol by hand. */
async function rawWatch(settings: http2.Settings = {}): Promise<ClientHttp2Stream> {
  const { keyPem, chainPem } = await rig.credentials('node-1');
  const session = http2.connect(`https://127.0.0.1:${rig.server.port}`, {
    ca: [...rig.authority.trust.current.roots],
    key: keyPem,
    cert: chainPem,
    checkServerIdentity: () => undefined,
    settings,
  });
  session.on('error', () => {});
  sessions.push(session);
  const stream = session.request({ ':method': 'POST', ':path': '/mesh/v1/watch' });
  stream.on('error', () => {});
  await once(stream, 'response');
  return stream;
}

test('both sides send beats when there is nothing to say, and stay connected', async () => {
  await rig.close();
  const clientClock = new FakeClock(Date.now());
  const serverClock = new FakeClock(Date.now());
  rig = await meshRig({ clock: clientClock, serverClock });
  const client = await rig.client();
  await connected(client);
  for (let second = 0; second < (3 * SILENCE_MS) / 1000; second++) {
    clientClock.advance(1000);
    serverClock.advance(1000);
    // Long enough in real time for the beats to cross: they are what is tested, so wait for the sockets.
    for (let i = 0; i < 20; i++) await turn();
    await new Promise(resolve => setTimeout(resolve, 2));
  }
  assert.equal(client.status.current.state, 'connected');
  assert.equal(rig.server.stats().streams, 1);
});

test('a namerd that falls silent is left, and found again', async () => {
  await rig.close();
  const clientClock = new FakeClock(Date.now());
  rig = await meshRig({ clock: clientClock, serverClock: new FakeClock(Date.now()) });
  const client = await rig.client();
  await connected(client);
  // Its clock stands still, so the server has nothing to say.
  for (let second = 0; second <= SILENCE_MS / 1000; second++) clientClock.advance(1000);
  const { error } = await firstWhere(
    client.status,
    ({ state }) => state === 'down',
    AbortSignal.timeout(5000),
  );
  assert.equal(error?.code, 'NM_MESH_SILENT');
  clientClock.advance(5000);
  await connected(client);
});

test('a node that falls silent is let go', async () => {
  await rig.close();
  const serverClock = new FakeClock(Date.now());
  rig = await meshRig({ serverClock });
  const stream = await rawWatch();
  const closed = once(stream, 'close');
  stream.resume();
  while (rig.server.stats().streams === 0) await turn();
  for (let second = 0; second <= SILENCE_MS / 1000; second++) serverClock.advance(1000);
  await closed;
  assert.equal(rig.server.stats().streams, 0);
});

test('a reader that stops reading makes nothing grow, and gets the newest states when it reads on', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `/svc/s${i}`);
  const padding = 'x'.repeat(4000);
  const state = (i: number): NameState => ({ state: 'failed', message: `${i} ${padding}` });
  for (const name of names) rig.source.name(name).set(state(0));
  const stream = await rawWatch({ initialWindowSize: 65_535 });
  stream.pause();
  for (const [id, key] of names.entries())
    stream.write(`${JSON.stringify({ op: 'watch', id, kind: 'name', key })}\n`);
  while (rig.server.stats().watches < names.length) await turn();
  while (rig.server.stats().behind === names.length) await turn();
  for (let round = 1; round <= 50; round++) {
    for (const name of names) rig.source.name(name).set(state(round));
    await turn();
    assert.ok(rig.server.stats().behind <= names.length);
  }
  const newest = new Map<number, string>();
  let bytes = 0;
  const reader = new LineReader(MAX_LINE_BYTES);
  const done = Promise.withResolvers<void>();
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    reader.push(chunk, value => {
      const { id, state } = value as { id: number; state: { message: string } };
      newest.set(id, state.message.split(' ')[0] ?? '');
    });
    if (newest.size === names.length && [...newest.values()].every(round => round === '50')) done.resolve();
  });
  stream.resume();
  await done.promise;
  const onePass = names.length * padding.length;
  assert.ok(bytes < 3 * onePass, `${bytes} bytes for 51 rounds of ${onePass}`);
  assert.equal(rig.server.stats().behind, 0);
});

test('nonsense ends the stream that sends it, and no other', async () => {
  rig.source.name(CART).set(boundTo(1));
  const good = await rig.client();
  const heard = new Heard<NameState>();
  good.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
  for (const nonsense of [
    'garbage\n',
    '[]\n',
    'null\n',
    '\n',
    '{"op":"watch"}\n',
    '{"op":"watch","id":-1,"kind":"name","key":"/x"}\n',
    '{"op":"watch","id":1,"kind":"secret","key":"/x"}\n',
    `{"op":"watch","id":1,"kind":"name","key":"/${'x'.repeat(5000)}"}\n`,
    '{"op":"report","enrolled":[1],"seq":1}\n',
    '{"op":"later"}\n',
    'x'.repeat(MAX_LINE_BYTES + 1),
    Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
  ]) {
    const stream = await rawWatch();
    const closed = once(stream, 'close');
    stream.resume();
    stream.write(nonsense);
    await closed;
  }
  rig.source.name(CART).set(boundTo(2));
  await heard.until(({ all }) => all.length === 2);
  assert.equal(rig.server.stats().streams, 1);
});

test('plain TCP, plain HTTP and half a handshake disturb nobody', async () => {
  const { port } = rig.server;
  const sockets = ['', 'GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01'].map(text => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('error', () => {});
    socket.resume();
    return socket;
  });
  await connected(await rig.client());
  for (const socket of sockets) socket.destroy();
});

test('TLS 1.2 and protocols other than h2 are refused', async () => {
  const options = { port: rig.server.port, host: '127.0.0.1', rejectUnauthorized: false } as const;
  for (const refused of [
    { ...options, maxVersion: 'TLSv1.2' as const, ALPNProtocols: ['h2'] },
    { ...options, ALPNProtocols: ['http/1.1'] },
  ]) {
    const socket = tls.connect(refused);
    socket.on('error', () => {});
    socket.resume();
    await new Promise(resolve => socket.once('close', resolve));
  }
});

test('a node that connects again and again keeps its newest streams only', async () => {
  const streams = [];
  for (let i = 0; i < 6; i++) {
    const stream = await rawWatch();
    stream.resume();
    streams.push(stream);
  }
  while (rig.server.stats().streams > 4) await turn();
  await Promise.all(streams.slice(0, 2).map(stream => stream.closed || once(stream, 'close')));
  assert.equal(streams[5]?.closed, false);
});

test('a client survives a server that answers with nonsense, and says what it was', async () => {
  const credentials = await rig.credentials('node-1');
  const { keyPem, chain } = await rig.certifier.ownCertificate();
  for (const [reply, code] of [
    ['garbage\n', 'NM_MESH_PROTOCOL'],
    ['{"id":1}\n', 'NM_MESH_PROTOCOL'],
    ['[1]\n{"later":1}\n{"id":99,"version":"x","state":1}\nnull\n', 'NM_MESH_PROTOCOL'],
  ] as const) {
    const server = http2.createSecureServer({ key: keyPem, cert: chain });
    server.on('sessionError', () => {});
    server.on('session', session => session.on('error', () => {}));
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200 });
      stream.write(reply);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = new MeshClient({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      trustDomain: TRUST_DOMAIN,
      roots: rig.authority.trust.current.roots,
      credentials,
      clock: new FakeClock(),
    });
    await down(client);
    assert.equal(client.status.current.error?.code, code);
    client.close();
    server.close();
  }
});

test('changes flow within a second after namerd is back, however long it was away', async () => {
  rig.source.name(CART).set(boundTo(1));
  const clientClock = new FakeClock(Date.now());
  const client = await rig.client({ clock: clientClock });
  const heard = new Heard<NameState>();
  client.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
  await rig.restart(async () => {
    await down(client);
    // Minutes of attempts that find nobody.
    for (let i = 0; i < 60; i++) {
      clientClock.advance(1000);
      // Until the attempt has failed, and only the next one is planned.
      while (clientClock.timers !== 1) await turn();
    }
    rig.source.name(CART).set(boundTo(2));
  });
  // Whatever attempt is planned, it is within a second.
  clientClock.advance(1000);
  await heard.until(({ all }) => all.length === 2);
});

test('beats are not sent more often than needed', () => {
  assert.ok(BEAT_MS * 2 < SILENCE_MS);
});
