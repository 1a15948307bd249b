/** Applications that close, lie, or talk nonsense: the client is told the truth, and nobody gets another's answer. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS } from '#api';
import { FakeClock } from '../../../lib/fake-clock.ts';
import { type AppBehaviour, type AppConnection, ok } from '../../../lib/http-policy/app.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, post, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, echoApp, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

/** Any failure would eject. */
const STRICT = {
  ...DEFAULT_CLIENT_SETTINGS,
  breaker: { ...DEFAULT_CLIENT_SETTINGS.breaker, failures: 1, maxEjected: 1 },
};
const BOUND = '/#/registry/shop/web/http';

/** Answers one request per connection and closes when the second comes, as if close and request had crossed. */
function onceEach(how: 'end' | 'reset' = 'end'): AppBehaviour {
  return {
    request: ({ connection, target, body }) => {
      if (connection.requests.length === 1) connection.send(ok(`${target} ${body}`));
      else if (how === 'end') connection.socket.end();
      else connection.socket.resetAndDestroy();
    },
  };
}

describe('a connection that the application closes just when it is used again', () => {
  for (const how of ['end', 'reset'] as const)
    it(`is made anew for what may be repeated, and not held against it (${how})`, async () => {
      const app = await appOf(onceEach(how));
      const { client, hop } = await stageOf([app], { client: STRICT });
      for (const [i, method] of ['GET', 'GET', 'PUT', 'DELETE', 'OPTIONS'].entries()) {
        client.send(request(method, `/${i}`));
        await client.responses(i + 1);
      }
      assert.ok(hop.entries.every(({ status }) => status === 200));
      hop.policy.sweep();
      assert.equal(hop.counters(BOUND).ejected, 0);
      assert.equal(hop.counters().retries, 0);
    });

  it('is made anew even when many wait that are all closed', async () => {
    const app = await appOf(onceEach('reset'));
    const { hop, port } = await stageOf([app], { client: STRICT });
    const clients = await Promise.all(Array.from({ length: 6 }, () => clientOf(port)));
    for (const client of clients) client.send(get('/first'));
    for (const client of clients) await client.response();
    assert.equal(app.connections.length, 6);
    clients[0]?.send(get('/second'));
    await clients[0]?.responses(2);
    assert.equal(hop.lastEntry.attempts, 2);
  });

  it('fails a POST: the application gets it once', async () => {
    const app = await appOf(onceEach());
    const { client } = await stageOf([app]);
    client.send(post('/a', 'x'));
    await client.response();
    client.send(post('/b', 'y'));
    const [, second] = await client.responses(2);
    assert.equal(second?.start, '502');
    assert.equal(app.requests.filter(({ target }) => target === '/b').length, 1);
  });

  it('is not used for a POST after it has waited for some time', async () => {
    const app = await appOf(onceEach());
    const clock = new FakeClock();
    const { client } = await stageOf([app], { clock });
    client.send(get('/a'));
    await client.response();
    clock.advance(2_000);
    client.send(post('/b', 'y'));
    const [, second] = await client.responses(2);
    assert.equal(second?.payload, '/b y');
    assert.equal(app.requests.length, 2);
  });

  it('that says so in time is simply not used', async () => {
    const app = await appOf({
      request: ({ connection }) => {
        connection.send(ok('bye'));
        connection.socket.end();
      },
    });
    const { client, hop } = await stageOf([app]);
    for (let i = 0; i < 5; i++) {
      client.send(post(`/${i}`, 'x'));
      await client.responses(i + 1);
      await eventually(() => assert.equal(app.open, 0));
      await eventually(() => assert.equal(hop.pod.openConnections, 1));
    }
    assert.equal(app.requests.length, 5);
  });
});

describe('an application that can’t be reached', () => {
  it('is passed over, without budget', async () => {
    const gone = await echoApp();
    const { address } = gone;
    await gone.close();
    const app = await echoApp();
    const { client, hop } = await stageOf([app], { replicas: [address, app.address] });
    for (let i = 0; i < 10; i++) {
      client.send(post('/', 'x'));
      await client.responses(i + 1);
    }
    assert.equal(app.requests.length, 10);
    assert.equal(hop.counters().retries, 0);
  });

  it('where there is no other: 502, three connections were tried', async () => {
    const gone = await echoApp();
    const { address } = gone;
    await gone.close();
    const { client, hop } = await stageOf([], { replicas: [address] });
    client.send(get('/'));
    const response = await client.response();
    assert.match(response.payload, /^502 connect_failed: /);
    assert.equal(hop.dialled, 3);
    assert.match(response.fields.join(), /l5d-err,connect_failed/);
  });

  it('or closes every connection at once: 502', async () => {
    const app = await appOf({ connected: ({ socket }) => socket.resetAndDestroy() });
    const { client, hop } = await stageOf([app]);
    client.send(get('/'));
    assert.match((await client.response()).payload, /^502 /);
    await eventually(() => assert.equal(hop.pod.openConnections, 1));
  });
});

describe('an application that talks nonsense', () => {
  const nonsense: Record<string, string> = {
    'is no HTTP': 'hello\r\n\r\n',
    'breaks a rule': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
    'has two framings': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'has bad chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'switches to what nobody asked for':
      'HTTP/1.1 101 Switch\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    'never comes to its point': 'HTTP/1.1 103 Hints\r\n\r\n'.repeat(5_000),
    'has a head without end': `HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(5_000)}\r\n`.repeat(30)}`,
  };
  for (const [how, bytes] of Object.entries(nonsense))
    it(`that ${how}: 502 with the reason`, async () => {
      const app = await appOf({ request: ({ connection }) => connection.send(bytes) });
      const { client, hop } = await stageOf([app]);
      client.send(get('/'));
      await client.until(({ text }) => text.includes('HTTP/1.1 502 '));
      assert.match(client.text, /502 bad_response: /);
      assert.equal(hop.lastEntry.reason, 'bad_response');
      await eventually(() => assert.equal(app.open, 0));
      client.send(get('/next'));
      await client.until(({ text }) => text.split('HTTP/1.1 502 ').length === 3);
    });

  it('within a body: the client sees that it broke', async () => {
    const app = await appOf({
      request: ({ connection }) => {
        connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      },
    });
    const { client } = await stageOf([app]);
    client.send(get('/'));
    await client.until(({ text }) => text.endsWith('hello\r\n'));
    app.connections[0]?.send('nonsense\r\n');
    await client.until(({ closed }) => closed);
    assert.equal(client.error, 'ECONNRESET');
    assert.doesNotMatch(client.text, /nonsense|0\r\n\r\n$/);
  });

  it('by ending too early: the client sees that it broke', async () => {
    const app = await appOf({
      request: ({ connection }) => {
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort');
        connection.socket.end();
      },
    });
    const { client, hop } = await stageOf([app]);
    client.send(get('/'));
    await client.until(({ closed }) => closed);
    assert.equal(client.error, 'ECONNRESET');
    assert.equal(hop.lastEntry.reason, 'upstream_reset');
  });

  it('by answering twice: the second answer reaches nobody', async () => {
    const app = await appOf({
      request: ({ target, connection }) => {
        if (target === '/1') connection.send(ok('one') + ok('two'));
        else connection.send(ok(target));
      },
    });
    const { client } = await stageOf([app]);
    client.send(get('/1') + get('/2'));
    const responses = await client.responses(2);
    assert.deepEqual(
      responses.map(({ payload }) => payload),
      ['one', '/2'],
    );
    assert.equal(app.connections.length, 2);
  });

  it('by answering a little later once more: the connection is not used again', async () => {
    let first: AppConnection | undefined;
    const app = await appOf({
      request: ({ target, connection }) => {
        first ??= connection;
        connection.send(ok(target));
      },
    });
    const { client, hop } = await stageOf([app]);
    client.send(get('/1'));
    await client.response();
    first?.send(ok('unasked'));
    await eventually(() => assert.equal(hop.pod.openConnections, 1));
    client.send(get('/2'));
    const [, second] = await client.responses(2);
    assert.equal(second?.payload, '/2');
  });

  it('by greeting: 502', async () => {
    const app = await appOf({ connected: connection => void connection.send('220 ready\r\n') });
    const { client } = await stageOf([app]);
    client.send(get('/'));
    assert.match((await client.response()).payload, /^502 (bad_response|upstream_reset)/);
  });

  it('by sending a body with the answer to HEAD: it is thrown away', async () => {
    const app = await appOf({
      request: ({ method, target, connection }) => connection.send(ok(method === 'HEAD' ? 'body' : target)),
    });
    const { client } = await stageOf([app]);
    client.send(request('HEAD', '/1') + get('/2'));
    const responses = await client.responses(2, ['HEAD', 'GET']);
    assert.equal(responses[1]?.payload, '/2');
    assert.equal(app.connections.length, 2);
  });
});

describe('an answer before the request’s end', () => {
  it('comes, the connection is closed, and the rest of the body reaches nobody', async () => {
    const app = await appOf({
      head: ({ connection }) => connection.send('HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno'),
    });
    const { client } = await stageOf([app]);
    client.send(`${request('POST', '/up', ['Content-Length: 10000000'])}${'x'.repeat(100_000)}`);
    const text = await client.over();
    assert.match(text, /^HTTP\/1\.1 413 Large\r\n[\s\S]*connection: close\r\n\r\nno$/);
    await eventually(() => assert.equal(app.open, 0));
    client.send('x'.repeat(100_000) + get('/smuggled'));
    client.end();
    await client.until(({ closed }) => closed);
    assert.equal(app.requests.length, 1);
  });

  it('may be a stream, while the request goes on', async () => {
    const app = await appOf({
      head: ({ connection }) => connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
      request: ({ body, connection }) =>
        connection.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    });
    const { client } = await stageOf([app]);
    client.send(request('POST', '/up', ['Content-Length: 6']));
    await client.until(({ text }) => text.startsWith('HTTP/1.1 200'));
    client.send('abc');
    client.send('def');
    assert.equal((await client.response()).payload, 'abcdef');
  });
});
