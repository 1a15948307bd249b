/** The same requests over the other two kinds of wire: streams of a tunnel, and pairs within the node. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Authorizer } from '../../../../node-proxy/authorize/index.ts';
import type { StreamSide } from '../../../../node-proxy/tunnel/index.ts';
import { App } from '../../../lib/http-policy/app.ts';
import { Door } from '../../../lib/http-policy/door.ts';
import { Flood, stands } from '../../../lib/http-policy/flood.ts';
import type { HopOptions } from '../../../lib/http-policy/hop.ts';
import { eventually, podOf } from '../../../lib/http-policy/loopback.ts';
import { get, post, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, closeAfterEach, echoApp, opened, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

const MB = 1024 * 1024;

function neighbour() {
  const refused = {
    id: 'shop/shut',
    action: 'DENY' as const,
    rules: [{ from: [], to: [{ paths: ['/secret'] }] }],
  };
  const pod = podOf('app', '127.0.0.1', new Authorizer([refused], { mode: 'strict', ports: {} }));
  pod.http = { ports: {}, forwardClientIdentity: true, concurrentRequests: 0 };
  return pod;
}

const ways: Record<string, () => Partial<HopOptions>> = {
  'a tunnel': () => ({ tunnels: true }),
  'the node': () => ({ neighbour: neighbour() }),
};

for (const [way, options] of Object.entries(ways))
  describe(`through ${way}`, () => {
    it('requests are answered in order, with their bodies', async () => {
      const app = await echoApp();
      const { client } = await stageOf([app], options());
      const chunked = `${request('PUT', '/c', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\n\r\n`;
      client.send(get('/a') + post('/b', 'body') + chunked + request('HEAD', '/d') + get('/e'));
      const responses = await client.responses(5, ['GET', 'POST', 'PUT', 'HEAD', 'GET']);
      assert.deepEqual(
        responses.map(({ payload }) => payload),
        ['GET /a ', 'POST /b body', 'PUT /c abc', '', 'GET /e '],
      );
      assert.equal(app.connections.length, 1);
    });

    it('large bodies come whole, both ways', async () => {
      const app = await appOf({
        request: ({ body, connection }) =>
          connection
            .send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
            .send(Buffer.alloc(body.length, 'y')),
      });
      const { client } = await stageOf([app], options());
      client.send(request('POST', '/', [`Content-Length: ${5 * MB}`])).send(Buffer.alloc(5 * MB, 'x'));
      await client.until(({ bytes }) => bytes > 5 * MB);
      await eventually(() => assert.ok(client.text.endsWith('y')));
      assert.equal(client.text.length - client.text.indexOf('\r\n\r\n') - 4, 5 * MB);
    });

    it('a client that does not read stops the application', async () => {
      let flood: Flood | undefined;
      const app = await appOf({
        request: ({ connection: { socket } }) => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n');
          flood = new Flood(socket);
        },
      });
      const sent = () => flood?.sent ?? 0;
      const { client } = await stageOf([app], options());
      client.socket.pause();
      client.send(get('/'));
      await stands(sent);
      assert.ok(sent() > 0 && sent() < 20 * MB, `${sent()} bytes were taken`);
      client.socket.resume();
      await eventually(() => assert.ok(sent() > 40 * MB));
    });

    it('an upgrade carries bytes until both halves have ended', async () => {
      const app = await appOf({
        request: ({ connection }) => {
          connection.raw = chunk => void connection.socket.write(chunk);
          connection.send('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nwelcome ');
        },
      });
      const { client } = await stageOf([app], options());
      client.send(`${get('/', 'Connection: Upgrade', 'Upgrade: x')}early `);
      await client.until(({ text }) => text.endsWith('welcome early '));
      client.send('late').end();
      await app.until(({ connections }) => connections[0]?.ended === true);
      app.connections[0]?.send(' end').socket.end();
      await client.over();
      assert.ok(client.text.endsWith('welcome early late end'));
      await eventually(() => assert.equal(app.open, 0));
      assert.equal(app.connections[0]?.error, undefined);
    });

    it('a client that goes is heard of, and an application that breaks too', async () => {
      const app = await appOf({
        request: ({ target, connection }) => {
          if (target === '/half') connection.send('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf');
        },
      });
      const { client, hop } = await stageOf([app], options());
      client.send(get('/half'));
      await client.until(({ text }) => text.endsWith('half'));
      app.connections[0]?.socket.resetAndDestroy();
      await client.until(({ closed }) => closed);
      assert.equal(client.error, 'ECONNRESET');
      await eventually(() => assert.equal(hop.pod.openConnections, 0));
      const other = await stageOf([app], options());
      other.client.send(get('/wait'));
      await app.until(({ requests }) => requests.length === 2);
      other.client.reset();
      await eventually(() => assert.equal(app.open, 0));
      await eventually(() => assert.equal(other.hop.pod.openConnections, 0));
    });
  });

describe('through the node', () => {
  it('the other pod judges each request, and is told who calls', async () => {
    const app = await echoApp();
    const { client, hop } = await stageOf([app], { neighbour: neighbour() });
    client.send(get('/fine', 'x-forwarded-client-cert: forged') + get('/secret') + get('/fine'));
    const responses = await client.responses(3);
    assert.deepEqual(
      responses.map(({ start }) => start),
      ['200', '403', '200'],
    );
    assert.match(app.requests[0]?.header('x-forwarded-client-cert') ?? '', /^By=.*\/app;URI=.*\/client$/);
    assert.equal(app.requests[0]?.header('l5d-dst-service'), '/svc/shop/web/http');
    assert.deepEqual(
      hop.entries.map(({ direction, status }) => [direction, status]).filter(([, status]) => status === 403),
      [
        ['inbound', 403],
        ['outbound', 403],
      ],
    );
  });
});

describe('a caller through a tunnel', () => {
  /** Everything that the stream brings, until it has as many characters. */
  function heard(side: StreamSide, length: number): Promise<string> {
    return new Promise(resolve => {
      let text = '';
      side.start({
        onData: chunk => {
          text += chunk.toString('latin1');
          if (text.length >= length) resolve(text);
        },
        onEnd: () => resolve(text),
        onDrain: () => {},
        onClosed: () => resolve(text),
      });
    });
  }
  const EARLY = [Buffer.from('HELO '), Buffer.from('me\r\n')];

  for (const protocol of ['opaque', 'detect'] as const)
    it(`may speak before it is answered (${protocol}): nothing is lost`, async () => {
      let got = '';
      const app = opened(
        await App.listen({
          connected: connection => {
            connection.raw = chunk => {
              got += chunk.toString();
              if (got === 'HELO me\r\n') connection.send('250 you\r\n');
            };
          },
        }),
      );
      const ports = { [String(app.port)]: protocol };
      const door = opened(new Door({ port: app.port, http: { ports } }));
      const side = await door.call(EARLY);
      assert.equal(await heard(side, 9), '250 you\r\n');
      assert.equal(door.relayed, 1);
    });

  for (const protocol of ['http', 'detect'] as const)
    it(`may ask before it is answered (${protocol})`, async () => {
      const app = await echoApp();
      const ports = { [String(app.port)]: protocol };
      const door = opened(new Door({ port: app.port, http: { ports } }));
      const whole = get('/early');
      const side = await door.call([Buffer.from(whole.slice(0, 10)), Buffer.from(whole.slice(10))]);
      assert.match(await heard(side, 40), /^HTTP\/1\.1 200 /);
      side.reset();
      await eventually(() => assert.equal(door.pod.openConnections, 0));
      await eventually(() => assert.equal(app.open, 0));
    });
});
