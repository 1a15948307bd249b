/** Clients that are slow, silent, or gone: what they hold stays small, and ends. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS } from '#api';
import { FakeClock } from '../../../lib/fake-clock.ts';
import type { App } from '../../../lib/http-policy/app.ts';
import { ok } from '../../../lib/http-policy/app.ts';
import { Flood, stands } from '../../../lib/http-policy/flood.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, post, request } from '../../../lib/http-policy/raw-client.ts';
import {
  appOf,
  clientOf,
  closeAfterEach,
  echoApp,
  type Stage,
  stageOf,
} from '../../../lib/http-policy/stage.ts';

closeAfterEach();

const MB = 1024 * 1024;
/** Kernel buffers on loopback hold some megabytes on each side before anybody notices that nobody reads. */
const IN_KERNEL = 14 * MB;

/** Time passes, second by second, and the worker looks after its connections. */
function pass({ hop }: Stage, clock: FakeClock, seconds: number): void {
  for (let i = 0; i < seconds; i++) {
    clock.advance(1_000);
    hop.policy.sweep();
  }
}

describe('a client that does not read', () => {
  it('stops the application', async () => {
    let flood: Flood | undefined;
    const app = await appOf({
      request: ({ connection: { socket } }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n');
        flood = new Flood(socket);
      },
    });
    const sent = () => flood?.sent ?? 0;
    const { client } = await stageOf([app]);
    client.socket.pause();
    client.send(get('/'));
    await stands(sent);
    assert.ok(sent() < IN_KERNEL, `${sent()} bytes were taken`);
    client.socket.resume();
    await eventually(() => assert.ok(client.bytes > sent() / 2));
  });

  it('and asks on is not read either, whether applications answer or we do', async () => {
    const app = await appOf({ request: ({ connection }) => connection.send(ok('x'.repeat(50_000))) });
    const tables = [
      routesTo('/svc/shop/a/http'),
      // Answered when the name was looked up; answered at once.
      routesTo('/svc/shop/nothing/http'),
      { matches: [], actions: [] },
    ];
    for (const routes of tables) {
      const { client } = await stageOf([app], {
        names: { '/svc/shop/a/http': [app.address] },
        http: { routes },
      });
      client.socket.pause();
      let asked = 0;
      const asks = Buffer.from(get('/').repeat(1_000));
      const more = () => {
        while (asked < 60 * MB) {
          asked += asks.length;
          if (!client.socket.write(asks)) return void client.socket.once('drain', more);
        }
      };
      more();
      const before = app.requests.length;
      await stands(() => asked + app.requests.length);
      const external = process.memoryUsage().external;
      assert.ok(asked < IN_KERNEL, `${asked} bytes of requests were taken`);
      assert.ok(app.requests.length - before < 300, `${app.requests.length - before} responses were kept`);
      assert.ok(external < 120 * MB, `${external} bytes`);
      client.close();
    }
  });

  it('gets its last answer nevertheless, however long it takes', async () => {
    const body = 'x'.repeat(8 * MB);
    let rest = 0;
    const app = await appOf({
      request: ({ connection }) => connection.send(ok(body, 'Connection: close')),
    });
    const clock = new FakeClock();
    const stage = await stageOf([app], { clock });
    const { client, hop } = stage;
    // It reads more slowly than the application writes, and stops when that is done: the rest is in our hands.
    client.socket.on('data', () => {
      client.socket.pause();
      if (hop.entries.length === 0) setTimeout(() => client.socket.resume(), 1);
    });
    client.send(get('/', 'Connection: close'));
    await eventually(() => assert.equal(hop.entries.length, 1));
    assert.ok(client.bytes < body.length);
    client.socket.removeAllListeners('data');
    client.socket.on('data', chunk => void (rest += chunk.length));
    client.socket.pause();
    pass(stage, clock, 60);
    client.socket.resume();
    await client.over();
    assert.equal(client.bytes + rest - client.text.indexOf('\r\n\r\n') - 4, body.length);
    assert.equal(client.error, undefined);
  });

  it('is not held against the application', async () => {
    const app = await appOf({
      request: ({ connection }) =>
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n').send(Buffer.alloc(20 * MB)),
    });
    const clock = new FakeClock();
    const client = {
      ...DEFAULT_CLIENT_SETTINGS,
      breaker: { ...DEFAULT_CLIENT_SETTINGS.breaker, failures: 1, maxEjected: 1 },
    };
    const stage = await stageOf([app], { clock, client });
    stage.client.socket.pause();
    stage.client.send(get('/'));
    await eventually(() => assert.ok(app.requests.length === 1));
    await stands(() => app.connections[0]?.socket.bytesWritten ?? 0);
    pass(stage, clock, 400);
    await eventually(() => assert.equal(stage.hop.entries.length, 1));
    assert.equal(stage.hop.lastEntry.reason, 'timeout_client');
    stage.hop.policy.sweep();
    assert.equal(stage.hop.counters('/#/registry/shop/web/http').ejected, 0);
  });
});

describe('a client that sends slowly', () => {
  it('a head: 408', async () => {
    const app = await echoApp();
    const clock = new FakeClock();
    const stage = await stageOf([app], { clock });
    const { client } = stage;
    client.send(get('/first'));
    await client.response();
    for (const char of 'GET / HTTP/1.1\r\nHo') {
      client.send(char);
      pass(stage, clock, 1);
    }
    await eventually(() => {
      pass(stage, clock, 1);
      assert.match(client.text, /HTTP\/1\.1 408 [\s\S]*timeout_head/);
    });
    await client.over();
    assert.equal(app.requests.length, 1);
  });

  it('even the first byte of the first head', async () => {
    const app = await echoApp();
    const clock = new FakeClock();
    const stage = await stageOf([app], { clock });
    stage.client.send('P');
    await eventually(() => assert.equal(clock.timers, 1));
    clock.advance(15_000);
    stage.client.send('OS');
    await eventually(() => assert.equal(stage.hop.policy.connections, 1));
    await eventually(() => {
      pass(stage, clock, 1);
      assert.match(stage.client.text, /HTTP\/1\.1 408 /);
    });
  });

  it('a body, without a pause that is too long: as long as it takes', async () => {
    const app = await echoApp();
    const clock = new FakeClock();
    const stage = await stageOf([app], { clock });
    stage.client.send(request('POST', '/', ['Content-Length: 10']));
    for (let i = 0; i < 10; i++) {
      await app.until(({ requests }) => requests[0]?.body.length === i || false);
      pass(stage, clock, 290);
      stage.client.send('x');
    }
    assert.equal((await stage.client.response()).payload, 'POST / xxxxxxxxxx');
  });

  it('a body that stops: 408, and not held against the application', async () => {
    const app = await echoApp();
    const clock = new FakeClock();
    const client = {
      ...DEFAULT_CLIENT_SETTINGS,
      breaker: { ...DEFAULT_CLIENT_SETTINGS.breaker, failures: 1, maxEjected: 1 },
    };
    const stage = await stageOf([app], { clock, client });
    stage.client.send(`${request('POST', '/', ['Content-Length: 10'])}x`);
    await app.until(({ requests }) => requests[0]?.body === 'x');
    pass(stage, clock, 301);
    assert.match(await stage.client.over(), /^HTTP\/1\.1 408 [\s\S]*timeout_client/);
    await app.until(({ connections }) => connections[0]?.closed === true);
    stage.hop.policy.sweep();
    assert.equal(stage.hop.counters('/#/registry/shop/web/http').ejected, 0);
  });

  it('a body that is faster than the application: it is stopped', async () => {
    const app = await appOf({ connected: ({ socket }) => socket.pause() });
    const { client } = await stageOf([app]);
    client.send(request('POST', '/', ['Content-Length: 999999999']));
    const flood = new Flood(client.socket);
    await stands(() => flood.sent);
    assert.ok(flood.sent < IN_KERNEL, `${flood.sent} bytes were taken`);
    app.connections[0]?.socket.resume();
    await eventually(() => assert.ok(app.bytes > flood.sent / 2));
  });

  it('a body that follows a pipelined request: it is stopped all the same', async () => {
    const app = await appOf({
      request: ({ target, connection }) => {
        connection.send(ok(target));
        connection.socket.pause();
      },
    });
    const { client } = await stageOf([app]);
    // The second request's body begins in the chunk that waited for its turn.
    client.send(get('/first') + request('POST', '/', ['Content-Length: 999999999']));
    await client.response();
    const flood = new Flood(client.socket);
    await stands(() => flood.sent);
    assert.ok(flood.sent < IN_KERNEL, `${flood.sent} bytes were taken`);
  });

  it('nothing at all is closed after a while, and nothing of it stays', async () => {
    const app = await echoApp();
    const clock = new FakeClock();
    const stage = await stageOf([app], { clock });
    const silent = await clientOf(stage.port);
    const asking = await clientOf(stage.port);
    asking.send(get('/'));
    await asking.response();
    await eventually(() => assert.equal(stage.hop.pod.openConnections, 4));
    pass(stage, clock, 602);
    await silent.until(({ closed }) => closed);
    await asking.over();
    asking.end();
    await eventually(() => assert.equal(stage.hop.pod.openConnections, 0));
    assert.equal(clock.timers, 0);
  });

  it('and connections that were closed leave no timer behind', async () => {
    const app = await echoApp();
    const clock = new FakeClock();
    const stage = await stageOf([app], { clock });
    for (let i = 0; i < 20; i++) {
      const client = await clientOf(stage.port);
      client.send(get('/', 'Connection: close'));
      await client.over();
      client.close();
    }
    stage.client.close();
    await eventually(() => assert.equal(stage.hop.policy.connections, 0));
    await eventually(() => assert.equal(clock.timers, 0));
  });
});

describe('a client that goes', () => {
  const phases: Record<string, (stage: Stage, app: App) => Promise<void>> = {
    'within a head': async ({ client }) => {
      client.send('GET / HTT');
    },
    'before the request’s end': async ({ client }, app) => {
      client.send(`${request('POST', '/', ['Content-Length: 5'])}ab`);
      await app.until(({ requests }) => requests[0]?.body === 'ab');
    },
    'while it waits': async ({ client }, app) => {
      client.send(post('/wait', 'abc'));
      await app.until(({ requests }) => requests[0]?.done === true);
    },
    'within a response': async ({ client }) => {
      client.send(get('/half'));
      await client.until(({ text }) => text.endsWith('half'));
    },
  };
  for (const [phase, reach] of Object.entries(phases)) {
    for (const how of ['end', 'reset'] as const)
      it(`${phase} (${how}): the application hears of it, and nothing stays`, async () => {
        const app = await appOf({
          request: ({ target, connection }) => {
            if (target === '/half') connection.send('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf');
          },
        });
        const clock = new FakeClock();
        const stage = await stageOf([app], { clock });
        await reach(stage, app);
        const { client, hop } = stage;
        if (how === 'end') client.close();
        else client.reset();
        await eventually(() => {
          // A client that only half-closes may want its answer: not for ever.
          pass(stage, clock, 1);
          for (const { closed, socket } of app.connections)
            if (!closed && phase === 'within a response') socket.write('more');
          assert.equal(app.open, 0);
        });
        await eventually(() => assert.equal(hop.pod.openConnections, 0));
        assert.equal(hop.policy.connections, 0);
        if (phase !== 'within a head') assert.equal(hop.lastEntry.reason, 'client_gone');
      });
  }

  it('while its name is still looked up', async () => {
    const app = await echoApp();
    const named = Promise.withResolvers<boolean>();
    const name = '/svc/shop/a/http';
    const stage = await stageOf([app], {
      http: { routes: routesTo(name) },
      names: { [name]: [app.address] },
      naming: () => named.promise,
    });
    stage.client.send(get('/'));
    await eventually(() => assert.equal(stage.hop.policy.connections, 1));
    stage.client.reset();
    await eventually(() => assert.equal(stage.hop.policy.connections, 0));
    named.resolve(true);
    const next = await clientOf(stage.port);
    next.send(get('/next'));
    assert.equal((await next.response()).payload, 'GET /next ');
    assert.deepEqual(
      stage.hop.entries.map(({ reason }) => reason),
      ['client_gone', ''],
    );
  });
});

describe('a huge head', () => {
  it('is refused: 431, and nobody sees it', async () => {
    const app = await echoApp();
    const { client } = await stageOf([app]);
    client.send(get('/', ...Array.from({ length: 20 }, (_, i) => `x-${i}: ${'y'.repeat(6_000)}`)));
    assert.match(await client.over(), /^HTTP\/1\.1 431 /);
    assert.equal(app.requests.length, 0);
  });
});

function routesTo(name: string) {
  return {
    matches: [{ action: 0, headers: [], query: [] }],
    actions: [{ id: 'r', grpc: false, filters: [], backends: [{ weight: 1, name, filters: [] }] }],
  };
}
