/** What a connection carries where nobody, or somebody, has said: HTTP is found, and everything else passes untouched. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '../../../lib/fake-clock.ts';
import type { App, AppConnection } from '../../../lib/http-policy/app.ts';
import { Door } from '../../../lib/http-policy/door.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, type RawClient } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, echoApp, opened, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

interface Side {
  client: RawClient;
  clock: FakeClock;
  /** Requests that were understood; connections that are carried as bytes. */
  requests(): number;
  relayed(): number;
  openConnections(): number;
}

/** Both nodes do it, each in its own way. */
const sides: Record<string, (app: App) => Promise<Side>> = {
  'on the client’s node': async app => {
    const clock = new FakeClock();
    const { hop, client } = await stageOf([app], { clock, http: { protocol: 'detect' } });
    return {
      client,
      clock,
      requests: () => hop.entries.length,
      relayed: () => hop.relayed,
      openConnections: () => hop.pod.openConnections,
    };
  },
  'on the server’s node': async app => {
    const clock = new FakeClock();
    const door = opened(new Door({ port: app.port, clock, http: { ports: {} } }));
    return {
      client: await clientOf(await door.listen()),
      clock,
      requests: () => door.entries.length,
      relayed: () => door.relayed,
      openConnections: () => door.pod.openConnections,
    };
  },
};

/** Understands nothing: collects, and says what it is told to. */
function opaque(connected?: (connection: AppConnection) => void): Promise<App> {
  return appOf({
    connected: connection => {
      connection.raw = () => {};
      connected?.(connection);
    },
  });
}

function said(app: App): Promise<string> {
  return new Promise(resolve => {
    let text = '';
    app.behaviour.connected = connection => {
      connection.raw = chunk => {
        text += chunk.toString('latin1');
        if (text.endsWith('.')) resolve(text);
      };
    };
  });
}

for (const [where, open] of Object.entries(sides))
  describe(`detection ${where}`, () => {
    it('finds HTTP, and every request of the connection is one', async () => {
      const app = await echoApp();
      app.behaviour.connected = ({ socket }) => socket.on('end', () => socket.end());
      const side = await open(app);
      side.client.send(get('/a') + get('/b'));
      const responses = await side.client.responses(2);
      assert.deepEqual(
        responses.map(({ payload }) => payload),
        ['GET /a ', 'GET /b '],
      );
      assert.equal(side.requests(), 2);
      await eventually(() => assert.equal(side.relayed(), 0));
    });

    it('finds it in a first line that comes byte by byte', async () => {
      const app = await echoApp();
      const side = await open(app);
      for (const char of get('/slowly')) side.client.send(char);
      await side.client.response();
      assert.equal(side.requests(), 1);
    });

    it('lets the greeting of a server that speaks first through at once', async () => {
      const app = await opaque(connection => void connection.send('220 ready\r\n'));
      const side = await open(app);
      await side.client.until(({ text }) => text === '220 ready\r\n');
      assert.equal(side.relayed(), 1);
      side.client.send('QUIT\r\n');
      await app.until(({ bytes }) => bytes === 6);
      app.connections[0]?.send('221 bye\r\n').socket.end();
      await side.client.over();
      assert.equal(side.client.text, '220 ready\r\n221 bye\r\n');
      side.client.end();
      await eventually(() => assert.equal(side.relayed(), 0));
      assert.equal(side.requests(), 0);
    });

    it('lets a client that speaks something else through, with all its bytes', async () => {
      for (const bytes of [
        '\x16\x03\x01\x02\x00 is TLS.',
        'get key\r\n.',
        'HELO me\r\n.',
        '*1\r\n$4\r\nPING\r\n.',
      ]) {
        const app = await opaque();
        const all = said(app);
        const side = await open(app);
        side.client.send(bytes);
        assert.equal(await all, bytes);
        assert.equal(side.relayed(), 1);
        assert.equal(side.requests(), 0);
      }
    });

    it('waits only a moment for a line that might become one of HTTP, whenever it begins', async () => {
      const app = await opaque();
      const all = said(app);
      const side = await open(app);
      side.clock.advance(60_000);
      side.client.send('GET ke');
      await eventually(() => assert.equal(side.clock.timers, 1));
      side.clock.advance(1_000);
      await app.until(({ bytes }) => bytes === 6);
      side.client.send('y.');
      assert.equal(await all, 'GET key.');
      assert.equal(side.clock.timers, 0);
    });

    it('lets a server speak into the middle of the client’s first line', async () => {
      const app = await opaque();
      const side = await open(app);
      side.client.send('GET ke');
      await app.until(({ connections }) => connections.length === 1);
      await eventually(() => assert.equal(side.clock.timers, 1));
      app.connections[0]?.send('busy\r\n');
      await side.client.until(({ text }) => text === 'busy\r\n');
      await app.until(({ bytes }) => bytes === 6);
    });

    it('passes on that a silent client has gone, and that a silent server has', async () => {
      const app = await opaque();
      const side = await open(app);
      await app.until(({ connections }) => connections.length === 1);
      side.client.end();
      await app.until(({ connections }) => connections[0]?.ended === true);
      app.connections[0]?.socket.end();
      await side.client.over();
      await eventually(() => assert.equal(side.openConnections() + side.relayed(), 0));
      const other = await open(app);
      await app.until(({ connections }) => connections.length === 2);
      app.connections[1]?.socket.end();
      await other.client.over();
      other.client.end();
      await eventually(() => assert.equal(other.openConnections() + other.relayed(), 0));
      assert.equal(other.clock.timers, 0);
    });
  });

describe('a port that is declared HTTP', () => {
  it('knows HTTP/2 by its preface, also in pieces, and HTTP/1.1 by everything else', async () => {
    const app = await echoApp();
    const { client, port, hop } = await stageOf([app]);
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    for (const char of preface) client.send(char);
    // SETTINGS.
    await client.until(({ bytes, text }) => bytes >= 9 && text.charCodeAt(3) === 4);
    const other = await clientOf(port);
    for (const char of 'PRINT / HTTP/1.1\r\nHost: web\r\n\r\n') other.send(char);
    assert.equal((await other.response()).payload, 'PRINT / ');
    const bad = await clientOf(port);
    bad.send('PRI * HTTP/2.0\r\n\r\nXX');
    assert.match(await bad.over(), /^HTTP\/1\.1 (400|505) /);
    assert.equal(hop.entries.length, 1);
  });

  it('is never relayed: what is no HTTP is refused', async () => {
    const app = await echoApp();
    const { client, hop } = await stageOf([app]);
    client.send('\x16\x03\x01\x02\x00\x01\x00');
    assert.match(await client.over(), /^HTTP\/1\.1 400 /);
    assert.equal(app.bytes, 0);
    assert.equal(hop.relayed, 0);
  });

  it('closes a client that says nothing but goodbye', async () => {
    const app = await echoApp();
    const { client, port, hop } = await stageOf([app]);
    client.end();
    await client.until(({ closed }) => closed);
    const half = await clientOf(port);
    half.send('PRI').end();
    await half.until(({ closed }) => closed);
    assert.equal(hop.relayed, 0);
    await eventually(() => assert.equal(hop.pod.openConnections, 0));
  });
});
