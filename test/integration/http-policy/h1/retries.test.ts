/** Attempts after the first: what is sent again, when, and how often. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS, DEFAULT_SERVICE_SETTINGS, type ServiceSettings } from '#api';
import { FakeClock } from '../../../lib/fake-clock.ts';
import { type AppRequest, ok, reply } from '../../../lib/http-policy/app.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, post, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

type Retries = Partial<ServiceSettings['retries']>;

function settings(retries: Retries, timeouts: Partial<ServiceSettings['timeouts']> = {}) {
  const defaults = DEFAULT_SERVICE_SETTINGS;
  return {
    http: {
      settings: {
        ...defaults,
        retries: { ...defaults.retries, classifier: 'retryableAll5XX' as const, ...retries },
        timeouts: { ...defaults.timeouts, ...timeouts },
      },
    },
  };
}

/** Answers 503 to the first `times` requests, then 200 with the body. */
function failing(times: number, failure = reply(503, 'not yet')) {
  let failures = 0;
  return {
    request: ({ body, connection }: AppRequest) => {
      failures += 1;
      connection.send(failures <= times ? failure : ok(body));
    },
  };
}

describe('another attempt', () => {
  it('is sent the same head and body, byte for byte', async () => {
    const app = await appOf(failing(2));
    const { client, hop } = await stageOf([app], settings({ attempts: 3 }));
    const body = 'x'.repeat(30_000) + 'y'.repeat(30_000);
    const head = request('POST', '/up?q=1', [`Content-Length: ${body.length}`, 'X-Kept: yes']);
    client.send(head);
    for (let at = 0; at < body.length; at += 7_000) {
      client.send(body.slice(at, at + 7_000));
      await app.until(({ bytes }) => bytes > at);
    }
    const response = await client.response();
    assert.equal(response.payload, body);
    assert.equal(app.requests.length, 3);
    assert.deepEqual(new Set(app.requests.map(each => each.head)).size, 1);
    assert.ok(app.requests.every(each => each.body === body));
    assert.equal(hop.counters().retries, 2);
    assert.equal(hop.counters().retrySuccesses, 1);
    assert.equal(hop.lastEntry.attempts, 3);
    assert.equal(app.connections.length, 1);
  });

  it('is sent chunks as they came', async () => {
    const app = await appOf(failing(1));
    const { client } = await stageOf([app], settings({}));
    client.send(
      `${request('POST', '/', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 1\r\n\r\n`,
    );
    assert.equal((await client.response()).payload, 'abcde');
    assert.equal(app.requests.length, 2);
  });

  it('is not made for a body that is too large, which is passed on as it comes', async () => {
    const app = await appOf(failing(1));
    const { client, hop } = await stageOf([app], settings({ bodyBytes: 1_000 }));
    client.send(post('/', 'x'.repeat(1_001)));
    assert.equal((await client.response()).start, '503');
    assert.equal(app.requests.length, 1);
    assert.equal(hop.counters().retriesTooLarge, 1);
    client.send(post('/', 'x'.repeat(1_000)));
    await client.responses(2);
  });

  it('is not made of a POST unless told to', async () => {
    const app = await appOf(failing(2));
    const { client } = await stageOf([app], settings({ classifier: 'retryableIdempotent5XX' }));
    client.send(post('/', 'x'));
    assert.equal((await client.response()).start, '503');
    assert.equal(app.requests.length, 1);
    client.send(request('PUT', '/', ['Content-Length: 1']).concat('x'));
    const [, second] = await client.responses(2);
    assert.equal(second?.start, '200');
  });

  it('is not made when the budget is used up', async () => {
    const app = await appOf(failing(1_000_000));
    const options = settings({ attempts: 10, budget: { ratio: 0, minPerSecond: 0.2, ttlMs: 10_000 } });
    const { client, hop } = await stageOf([app], options);
    client.send(get('/'));
    assert.equal((await client.response()).start, '503');
    assert.equal(app.requests.length, 3);
    assert.equal(hop.counters().retriesOverBudget, 1);
    client.send(get('/'));
    await client.responses(2);
    assert.equal(app.requests.length, 4);
  });

  it('is paid for by requests that are sent, not by those that the proxy answers itself', async () => {
    const app = await appOf(failing(1_000_000));
    const { http } = settings({ attempts: 10, budget: { ratio: 0.5, minPerSecond: 0, ttlMs: 10_000 } });
    const own = { weight: 1, name: '/svc/shop/web/http', filters: [] };
    const routes = {
      matches: [{ action: 0, headers: [], query: [], path: { kind: 'exact' as const, value: '/there' } }],
      actions: [{ id: 'r[0]', grpc: false, filters: [], backends: [own] }],
    };
    const names = { [own.name]: [app.address] };
    const { client } = await stageOf([app], { http: { ...http, routes }, names });
    client.send(get('/nowhere').repeat(20));
    assert.equal((await client.responses(20)).at(-1)?.start, '404');
    client.send(get('/there'));
    assert.equal((await client.responses(21)).at(-1)?.start, '503');
    assert.equal(app.requests.length, 1);
    client.send(get('/there'));
    await client.responses(22);
    assert.equal(app.requests.length, 3);
  });

  it('is made whatever the refused answer goes on to say', async () => {
    const large = `HTTP/1.1 503 Large\r\nContent-Length: 5000000\r\n\r\n${'x'.repeat(5_000_000)}`;
    const slow = 'HTTP/1.1 503 Slow\r\nContent-Length: 10\r\n\r\nab';
    const broken = 'HTTP/1.1 503 Broken\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n';
    const withMore = reply(503, 'x') + reply(200, 'unasked');
    for (const failure of [large, slow, broken, withMore]) {
      const app = await appOf(failing(1, failure));
      const { client, hop } = await stageOf([app], settings({}));
      client.send(post('/', 'again'));
      assert.equal((await client.response()).payload, 'again');
      client.send(post('/', 'more'));
      const [, more] = await client.responses(2);
      assert.equal(more?.payload, 'more');
      assert.equal(hop.counters().retries, 1);
      // Whatever the first connection still says, it says to nobody.
      await eventually(() => assert.equal(hop.pod.openConnections, 2));
      await eventually(() => assert.equal(app.open, 1));
    }
  });

  it('is not made once the client has been answered', async () => {
    const app = await appOf({
      request: ({ connection }) => {
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab');
        setImmediate(() => connection.socket.resetAndDestroy());
      },
    });
    const { client, hop } = await stageOf([app], settings({ attempts: 3 }));
    client.send(get('/'));
    await client.until(({ closed }) => closed);
    assert.equal(app.requests.length, 1);
    assert.equal(hop.counters().retries, 0);
  });

  it('follows a connection that broke while it waited', async () => {
    let broken = 0;
    const app = await appOf({
      request: ({ body, connection }) => {
        if (broken++ === 0) connection.socket.resetAndDestroy();
        else connection.send(ok(body));
      },
    });
    const { client } = await stageOf([app], settings({}));
    client.send(post('/', 'kept'));
    assert.equal((await client.response()).payload, 'kept');
  });

  it('goes to another endpoint, if there is one', async () => {
    const bad = await appOf(failing(1_000));
    const good = await appOf(failing(0));
    const { client } = await stageOf([bad, good], settings({ attempts: 1 }));
    for (let i = 0; i < 20; i++) client.send(get('/'));
    const responses = await client.responses(20);
    assert.ok(responses.every(({ start }) => start === '200'));
  });

  it('asks 100-continue again, and the client is asked for its body', async () => {
    let asked = 0;
    const app = await appOf({
      head: ({ connection }) => {
        asked += 1;
        connection.send(asked === 1 ? reply(503, '') : 'HTTP/1.1 100 Continue\r\n\r\n');
      },
      request: ({ body, connection }) => connection.send(ok(body)),
    });
    const { client } = await stageOf([app], settings({}));
    client.send(request('POST', '/', ['Content-Length: 4', 'Expect: 100-continue']));
    await client.until(({ text }) => text.endsWith('100 Continue\r\n\r\n'));
    client.send('body');
    assert.equal((await client.response()).payload, 'body');
  });
});

describe('time', () => {
  const SILENT = { request: () => {} };

  it('of one attempt is over: the next gets its own, then 504', async () => {
    const app = await appOf(SILENT);
    const clock = new FakeClock();
    const { client, hop } = await stageOf([app], { clock, ...settings({}, { perTryMs: 100 }) });
    client.send(get('/'));
    await app.until(({ requests }) => requests.length === 1);
    clock.advance(100);
    await app.until(({ requests }) => requests.length === 2);
    clock.advance(99);
    assert.equal(hop.entries.length, 0);
    clock.advance(1);
    assert.match((await client.response()).payload, /^504 timeout_try/);
    await eventually(() => assert.equal(app.open, 0));
    assert.equal(hop.counters().timeouts, 2);
  });

  it('of an attempt covers the whole response where a route limits it, as the Gateway API says', async () => {
    const part = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf';
    const app = await appOf({ request: ({ connection }) => connection.send(part) });
    const clock = new FakeClock();
    const backends = [{ weight: 1, name: '/svc/shop/web/http', filters: [] }];
    const actions = [{ id: 'r', grpc: false, filters: [], backends, backendRequestMs: 100 }];
    const routes = { matches: [{ action: 0, headers: [], query: [] }], actions };
    const names = { '/svc/shop/web/http': [app.address] };
    const { client, hop } = await stageOf([app], { clock, names, http: { routes } });
    client.send(get('/'));
    await client.until(({ text }) => text.endsWith('half'));
    clock.advance(100);
    await client.over();
    assert.equal(hop.lastEntry.reason, 'timeout_try');
    assert.equal(hop.counters().timeouts, 1);
    await eventually(() => assert.equal(app.open, 0));
  });

  it('of the whole request is over while it waits for its next attempt', async () => {
    const app = await appOf(failing(1_000));
    const clock = new FakeClock();
    const options = settings({ attempts: 5, backoff: { minMs: 400, maxMs: 400 } }, { totalMs: 1_000 });
    const { client, hop } = await stageOf([app], { clock, ...options });
    client.send(get('/'));
    for (const count of [1, 2, 3]) {
      await app.until(({ requests }) => requests.length === count);
      await eventually(() => assert.equal(hop.counters().retries, count));
      clock.advance(400);
    }
    assert.match((await client.response()).payload, /^504 timeout_total/);
    assert.equal(app.requests.length, 3);
    clock.advance(10_000);
    client.send(get('/again'));
    await app.until(({ requests }) => requests.length === 4);
  });

  it('of the whole request includes its name', async () => {
    const clock = new FakeClock();
    const name = '/svc/shop/a/http';
    const matches = [{ action: 0, headers: [], query: [] }];
    const actions = [{ id: 'r', grpc: false, filters: [], backends: [{ weight: 1, name, filters: [] }] }];
    const named = Promise.withResolvers<boolean>();
    const app = await appOf(failing(0));
    const { http } = settings({}, { totalMs: 1_000 });
    const { client, hop } = await stageOf([app], {
      clock,
      http: { ...http, routes: { matches, actions } },
      names: { [name]: [app.address] },
      naming: () => named.promise,
    });
    client.send(get('/late'));
    await eventually(() => assert.equal(hop.policy.connections, 1));
    clock.advance(1_000);
    assert.match((await client.response()).payload, /^504 timeout_total/);
    // The same connection asks for the same name; the first question's answer is not its own.
    client.send(get('/next'));
    named.resolve(true);
    const [, next] = await client.responses(2);
    assert.equal(next?.start, '200');
    assert.deepEqual(
      app.requests.map(({ target }) => target),
      ['/next'],
    );
  });

  it('that only the client was short of says nothing about the endpoint', async () => {
    const app = await appOf(SILENT);
    const clock = new FakeClock();
    const client = {
      ...DEFAULT_CLIENT_SETTINGS,
      breaker: { ...DEFAULT_CLIENT_SETTINGS.breaker, failures: 1, maxEjected: 1 },
    };
    const stage = await stageOf([app], { clock, client });
    const nanos = (ms: number) => `${BigInt(ms) * 1_000_000n}`;
    const deadline = `l5d-ctx-deadline: ${nanos(clock.now())} ${nanos(clock.now() + 50)}`;
    stage.client.send(get('/', deadline));
    await app.until(({ requests }) => requests.length === 1);
    clock.advance(50);
    assert.match((await stage.client.response()).payload, /^504 timeout_total/);
    stage.hop.policy.sweep();
    assert.equal(stage.hop.counters('/#/registry/shop/web/http').ejected, 0);
  });
});

describe('a name that comes too late', () => {
  it('changes nothing for the request that is under way by then', async () => {
    const clock = new FakeClock();
    const late = Promise.withResolvers<boolean>();
    const [slow, app] = [await appOf(failing(0)), await appOf({ request: each => void waiting.push(each) })];
    const waiting: AppRequest[] = [];
    const action = (name: string) => ({
      id: name,
      grpc: false,
      filters: [],
      backends: [{ weight: 1, name: `/svc/shop/${name}/http`, filters: [] }],
    });
    const path = { kind: 'exact' as const, value: '/late' };
    const matches = [
      { action: 0, path, headers: [], query: [] },
      { action: 1, headers: [], query: [] },
    ];
    const { http } = settings({}, { totalMs: 1_000 });
    const { client, hop } = await stageOf([], {
      clock,
      http: { ...http, routes: { matches, actions: [action('late'), action('web')] } },
      client: { ...DEFAULT_CLIENT_SETTINGS, limits: { connections: 1, pending: 1, requests: 1 } },
      names: { '/svc/shop/late/http': [slow.address], '/svc/shop/web/http': [app.address] },
      naming: key => (key.includes('late') ? late.promise : Promise.resolve(true)),
    });
    client.send(get('/late'));
    await eventually(() => assert.equal(hop.policy.connections, 1));
    clock.advance(1_000);
    await client.response();
    // Each takes the only place there is, and has to give it back.
    for (const i of [1, 2, 3]) {
      client.send(get(`/${i}`));
      await app.until(() => waiting.length === 1);
      late.resolve(true);
      await new Promise(resolve => setImmediate(resolve));
      waiting.pop()?.connection.send(ok('fine'));
      assert.equal((await client.responses(i + 1))[i]?.payload, 'fine');
    }
    assert.equal(slow.requests.length, 0);
  });
});

describe('limits', () => {
  const limited = (limits: Partial<(typeof DEFAULT_CLIENT_SETTINGS)['limits']>) => ({
    client: {
      ...DEFAULT_CLIENT_SETTINGS,
      limits: { ...DEFAULT_CLIENT_SETTINGS.limits, ...limits },
    },
  });

  it('of requests under way: 503 overloaded, and room again afterwards', async () => {
    const waiting: AppRequest[] = [];
    const app = await appOf({ request: each => void waiting.push(each) });
    const { client, port, hop } = await stageOf([app], limited({ requests: 2 }));
    const clients = [client, await clientOf(port), await clientOf(port)];
    for (const each of clients) each.send(get('/'));
    await Promise.race(clients.map(each => each.response()));
    const refused = clients.filter(({ text }) => text.startsWith('HTTP/1.1 503 '));
    assert.equal(refused.length, 1);
    assert.match(refused[0]?.text ?? '', /503 overloaded: /);
    assert.equal(hop.counters().shed, 1);
    await app.until(() => waiting.length === 2);
    for (const { connection } of waiting.splice(0)) connection.send(ok('done'));
    for (const each of clients) await each.response();
    refused[0]?.send(get('/'));
    await app.until(() => waiting.length === 1);
  });

  it('all ejected: 503, a probe after the back-off, and open again', async () => {
    let well = false;
    const app = await appOf({
      request: ({ connection }) => connection.send(well ? ok('well') : reply(500, 'ill')),
    });
    const clock = new FakeClock();
    const breaker = { failures: 3, minMs: 5_000, maxMs: 5_000, maxEjected: 1 };
    const { client, hop } = await stageOf([app], {
      clock,
      client: { ...DEFAULT_CLIENT_SETTINGS, breaker },
    });
    for (let i = 0; i < 4; i++) {
      client.send(get('/'));
      await client.responses(i + 1);
    }
    const [, , third, fourth] = await client.responses(4);
    assert.equal(third?.start, '500');
    assert.match(fourth?.payload ?? '', /^503 ejected: /);
    assert.equal(app.requests.length, 3);
    well = true;
    clock.advance(5_001);
    client.send(get('/'));
    assert.equal((await client.responses(5))[4]?.payload, 'well');
    hop.policy.sweep();
    assert.equal(hop.counters('/#/registry/shop/web/http').ejected, 0);
    assert.equal(hop.counters('/#/registry/shop/web/http').ejections, 1);
  });
});
