/** Upgrades: HTTP until 101, then plain bytes both ways until both have ended, with every byte that came early. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { FakeClock } from '../../../lib/fake-clock.ts';
import type { App, AppConnection } from '../../../lib/http-policy/app.ts';
import { Door } from '../../../lib/http-policy/door.ts';
import { Flood, stands } from '../../../lib/http-policy/flood.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, echoApp, opened, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

const MB = 1024 * 1024;
const ASK = get('/chat', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: abc');
const AGREED = 'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

/** Agrees, then echoes. */
function tunnelling(early = '', raw?: (connection: AppConnection, chunk: Buffer) => void): Promise<App> {
  return appOf({
    request: ({ connection }) => {
      connection.raw = chunk =>
        raw === undefined ? void connection.socket.write(chunk) : raw(connection, chunk);
      connection.send(AGREED + early);
    },
  });
}

describe('an upgrade', () => {
  it('is what node:http takes for one, end to end', async () => {
    const server = createServer();
    server.on('upgrade', (request, socket: Socket, head: Buffer) => {
      socket.on('error', () => {});
      const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}`).digest('base64');
      socket.write(`HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nx-key: ${key}\r\n\r\n`);
      socket.write(head);
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened({ close: () => server.close() });
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { port } = await stageOf([], { replicas: [address] });
    const asked = httpRequest({
      port,
      host: '127.0.0.1',
      headers: { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-key': 'k' },
    });
    asked.end();
    const [response, socket] = (await once(asked, 'upgrade')) as [
      { headers: Record<string, string> },
      Socket,
    ];
    assert.equal(response.headers['x-key'], createHash('sha1').update('k').digest('base64'));
    socket.write('ping');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'ping');
    socket.destroy();
  });

  it('takes along what came with the handshake, on both sides', async () => {
    const app = await tunnelling('welcome ');
    const { client } = await stageOf([app]);
    client.send(`${ASK}early `);
    await client.until(({ text }) => text.endsWith('welcome early '));
    client.send('late');
    const text = await client.until(({ text }) => text.endsWith('late'));
    assert.equal(text, `${AGREED}welcome early late`);
    assert.equal(app.requests.length, 1);
  });

  it('that the application does not agree to leaves HTTP behind it', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    client.send(ASK + get('/next'));
    const responses = await client.responses(2);
    assert.deepEqual(
      responses.map(({ payload }) => payload),
      ['GET /chat ', 'GET /next '],
    );
  });

  it('to another HTTP is not passed on: nothing could be judged in it', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    client.send(get('/', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'));
    await client.response();
    assert.doesNotMatch(app.requests[0]?.head ?? '', /upgrade|h2c|http2-settings/i);
  });

  it('ends one half at a time', async () => {
    const app = await tunnelling('', ({ socket }, chunk) => void socket.write(chunk));
    const { client, hop } = await stageOf([app]);
    client.send(ASK);
    await client.until(({ text }) => text === AGREED);
    client.send('last words').end();
    await app.until(({ connections }) => connections[0]?.ended === true);
    app.connections[0]?.send(' and mine');
    await client.until(({ text }) => text.endsWith('last words and mine'));
    assert.equal(hop.entries.length, 0);
    app.connections[0]?.socket.end();
    await client.over();
    await eventually(() => assert.equal(hop.pod.openConnections, 0));
    assert.equal(client.error, undefined);
    assert.deepEqual([hop.lastEntry.status, hop.lastEntry.reason], [101, '']);
  });

  it('loses nothing that was said before the end, however slow the reader', async () => {
    const size = 12 * MB;
    const app = await tunnelling('', connection => {
      connection.socket.write(Buffer.alloc(size, 'x'));
      connection.socket.end();
    });
    const { client, hop } = await stageOf([app]);
    client.send(ASK);
    await client.until(({ text }) => text === AGREED);
    // Reads more slowly than the application writes, and not at all once that has gone.
    client.socket.on('data', () => {
      client.socket.pause();
      if (hop.entries.length === 0) setTimeout(() => client.socket.resume(), 1);
    });
    client.send('go').end();
    await eventually(() => assert.equal(hop.entries.length, 1));
    client.socket.removeAllListeners('data');
    let rest = 0;
    client.socket.on('data', chunk => void (rest += chunk.length));
    client.socket.resume();
    await client.over();
    assert.ok(rest > 0);
    assert.equal(client.bytes + rest, AGREED.length + size);
    assert.equal(client.error, undefined);
  });

  it('loses nothing that the client said before the end, however slow the application', async () => {
    const size = 12 * MB;
    let got = 0;
    const app = await tunnelling('', (_connection, chunk) => void (got += chunk.length));
    const { client } = await stageOf([app]);
    client.send(ASK);
    await client.until(({ text }) => text === AGREED);
    app.connections[0]?.socket.pause();
    app.connections[0]?.socket.end();
    client.send(Buffer.alloc(size, 'x')).end();
    await client.over();
    await eventually(() => assert.ok(client.socket.bytesWritten > 2 * MB));
    app.connections[0]?.socket.resume();
    await app.until(({ connections }) => connections[0]?.closed === true);
    assert.equal(got, size);
    assert.equal(app.connections[0]?.error, undefined);
  });

  for (const [slow, how] of [
    ['the client', 'a slow client stops the application'],
    ['the application', 'a slow application stops the client'],
  ])
    it(`${how}`, async () => {
      const app = await tunnelling('', () => {});
      const { client } = await stageOf([app]);
      client.send(ASK);
      await client.until(({ text }) => text === AGREED);
      const connection = app.connections[0] as AppConnection;
      const [reader, writer] =
        slow === 'the client' ? [client.socket, connection.socket] : [connection.socket, client.socket];
      reader.pause();
      const flood = new Flood(writer);
      await stands(() => flood.sent);
      assert.ok(flood.sent < 14 * MB, `${flood.sent} bytes were taken`);
      reader.resume();
      await eventually(() => assert.ok(flood.sent > 40 * MB));
    });

  for (const side of ['client', 'application'] as const)
    it(`that the ${side} breaks is broken on the other side too`, async () => {
      const app = await tunnelling();
      const { client, hop } = await stageOf([app]);
      client.send(ASK);
      await client.until(({ text }) => text === AGREED);
      if (side === 'client') client.reset();
      else app.connections[0]?.socket.resetAndDestroy();
      await client.until(({ closed }) => closed);
      await app.until(({ connections }) => connections[0]?.closed === true);
      assert.equal((side === 'client' ? app.connections[0] : client)?.error, 'ECONNRESET');
      await eventually(() => assert.equal(hop.pod.openConnections, 0));
    });

  it('on which nothing moves ends, and one on which something does goes on', async () => {
    const app = await tunnelling();
    const clock = new FakeClock();
    const { client, hop } = await stageOf([app], { clock });
    client.send(ASK);
    await client.until(({ text }) => text === AGREED);
    for (let i = 0; i < 4; i++) {
      clock.advance(200_000);
      hop.policy.sweep();
      const before = client.bytes;
      client.send('x');
      await client.until(({ bytes }) => bytes > before);
    }
    clock.advance(300_001);
    hop.policy.sweep();
    await client.until(({ closed }) => closed);
    assert.equal(hop.lastEntry.reason, 'timeout_idle');
    await eventually(() => assert.equal(app.open, 0));
  });

  it('is judged and carried on the server’s node too', async () => {
    const app = await tunnelling('welcome ');
    const policies = [
      { id: 'shop/chat', action: 'ALLOW' as const, rules: [{ from: [], to: [{ paths: ['/chat'] }] }] },
    ];
    const door = opened(new Door({ port: app.port, policies }));
    const client = await clientOf(await door.listen());
    client.send(`${ASK}early `);
    await client.until(({ text }) => text.endsWith('welcome early '));
    door.judgeBy([]);
    client.send('on ');
    await client.until(({ text }) => text.endsWith('on '));
    door.judgeBy([{ id: 'shop/none', action: 'ALLOW', rules: [] }]);
    await client.until(({ closed }) => closed);
    assert.equal(door.lastEntry.reason, 'policy_changed');
  });
});
