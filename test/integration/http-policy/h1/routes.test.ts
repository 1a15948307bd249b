/** Where requests of one client connection go: routes, weights, names, overrides, and what is said about them. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DEFAULT_SERVICE_SETTINGS,
  type RouteAction,
  type RouteMatch,
  type RouteTable,
  type ServiceHttp,
} from '#api';
import { type App, type AppRequest, ok } from '../../../lib/http-policy/app.ts';
import type { HopOptions } from '../../../lib/http-policy/hop.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, type Stage, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

const NAME = (name: string) => `/svc/shop/${name}/http`;

function named(name: string): Promise<App> {
  return appOf({ request: ({ connection }) => connection.send(ok(name)) });
}

function action(id: string, backends: Record<string, number>, more: Partial<RouteAction> = {}): RouteAction {
  return {
    id,
    grpc: false,
    filters: [],
    backends: Object.entries(backends).map(([name, weight]) => ({ name: NAME(name), weight, filters: [] })),
    ...more,
  };
}

function match(action: number, more: Partial<RouteMatch> = {}): RouteMatch {
  return { action, headers: [], query: [], ...more };
}

async function routed(
  routes: RouteTable,
  apps: Record<string, App>,
  more: Partial<HopOptions> & { settings?: Partial<ServiceHttp['settings']> } = {},
): Promise<Stage> {
  const names = Object.fromEntries(
    Object.entries(apps).map(([name, { address }]) => [NAME(name), [address]]),
  );
  const settings = { ...DEFAULT_SERVICE_SETTINGS, ...more.settings };
  return stageOf([], { names, http: { routes, settings }, ...more });
}

async function ask({ client }: Stage, ...texts: string[]): Promise<string[]> {
  const before = client.text.split('HTTP/1.1 ').length - 1;
  client.send(texts.join(''));
  const responses = await client.responses(before + texts.length);
  return responses.slice(before).map(({ start, payload }) => (start === '200' ? payload : payload || start));
}

describe('routes', () => {
  it('share out evenly, over all connections, also while other things change', async () => {
    const apps = { old: await named('old'), new: await named('new') };
    const routes = {
      matches: [match(0, { path: { kind: 'prefix', value: '/' } })],
      actions: [action('shop/web[0]', { old: 97, new: 3 })],
    };
    const stage = await routed(routes, apps, { replicas: [apps.old.address] });
    const { hop, port } = stage;
    for (let round = 0; round < 10; round++) {
      const client = round === 0 ? stage.client : await clientOf(port);
      client.send(get('/').repeat(100));
      await client.until(({ text }) => text.split('HTTP/1.1 200').length === 101);
      // The same routes said again, and replicas that come and go, begin no new count.
      hop.change({ routes: structuredClone(routes) }, round % 2 === 0 ? [] : [apps.old.address]);
    }
    const canary = apps.new.requests.length;
    assert.equal(canary + apps.old.requests.length, 1_000);
    assert.ok(Math.abs(canary - 30) <= 4, `${canary} of 1,000 are not 3 %`);
  });

  it('go by header and path, in their order', async () => {
    const apps = { a: await named('a'), b: await named('b'), c: await named('c') };
    const stage = await routed(
      {
        matches: [
          match(0, {
            path: { kind: 'exact', value: '/x' },
            headers: [{ name: 'x-who', kind: 'exact', value: 'me' }],
          }),
          match(1, { path: { kind: 'prefix', value: '/x' } }),
          match(2, { method: 'PUT' }),
        ],
        actions: [action('r[0]', { a: 1 }), action('r[1]', { b: 1 }), action('r[2]', { c: 1 })],
      },
      apps,
    );
    const answers = await ask(
      stage,
      get('/x', 'X-Who: me'),
      get('/x'),
      get('/x/y?q=1'),
      request('PUT', '/z'),
      get('/z'),
    );
    assert.deepEqual(answers.slice(0, 4), ['a', 'b', 'b', 'c']);
    assert.match(answers[4] ?? '', /^404 no_route: /);
    assert.equal(stage.hop.lastEntry.reason, 'no_route');
  });

  it('answer themselves: redirects, and 500 for backends that lead nowhere', async () => {
    const stage = await routed(
      {
        matches: [
          match(0, { path: { kind: 'prefix', value: '/old' } }),
          match(1, { path: { kind: 'prefix', value: '/none' } }),
          match(2),
        ],
        actions: [
          action(
            'r[0]',
            {},
            {
              filters: [
                {
                  kind: 'redirect',
                  hostname: 'new.example',
                  path: { kind: 'prefix', value: '/new' },
                  status: 301,
                },
              ],
            },
          ),
          action('r[1]', { gone: 0 }),
          {
            ...action('r[2]', {}),
            backends: [{ name: NAME('x'), weight: 1, filters: [], invalid: 'no such Service' }],
          },
        ],
      },
      {},
    );
    stage.client.send(get('/old/page?q=1') + request('HEAD', '/old/x') + get('/none') + get('/invalid'));
    const responses = await stage.client.responses(4, ['GET', 'HEAD', 'GET', 'GET']);
    assert.deepEqual(
      responses.map(({ start }) => start),
      ['301', '301', '500', '500'],
    );
    assert.match(responses[0]?.fields.join() ?? '', /location,http:\/\/new.example\/new\/page\?q=1/);
    assert.match(responses[3]?.payload ?? '', /no such Service/);
    const reasons = stage.hop.entries.map(({ reason }) => reason);
    assert.deepEqual(reasons, ['', '', 'invalid_backend', 'invalid_backend']);
  });

  it('change paths, hosts and fields, on the way there and back', async () => {
    let seen: AppRequest | undefined;
    const app = await appOf({
      request: each => {
        seen = each;
        each.connection.send(ok('fine', 'X-Inner: 1', 'X-Keep: 2'));
      },
    });
    const stage = await routed(
      {
        matches: [match(0, { path: { kind: 'prefix', value: '/api' } })],
        actions: [
          action(
            'r[0]',
            { a: 1 },
            {
              filters: [
                { kind: 'rewrite', hostname: 'inner.example', path: { kind: 'prefix', value: '/v2' } },
                {
                  kind: 'requestHeaders',
                  set: [{ name: 'X-Set', value: 'ours' }],
                  add: [{ name: 'X-More', value: 'b' }],
                  remove: ['x-secret'],
                },
                {
                  kind: 'responseHeaders',
                  set: [],
                  add: [{ name: 'X-Out', value: '3' }],
                  remove: ['x-inner'],
                },
              ],
            },
          ),
        ],
      },
      { a: app },
    );
    stage.client.send(get('/api/x?q=1', 'X-Set: theirs', 'X-More: a', 'X-Secret: s', 'X-Rest: r'));
    const response = await stage.client.response();
    assert.equal(seen?.target, '/v2/x?q=1');
    assert.equal(seen?.host, 'inner.example');
    assert.equal(seen?.header('x-set'), 'ours');
    assert.equal(seen?.header('x-more'), 'a, b');
    assert.equal(seen?.header('x-secret'), undefined);
    assert.equal(seen?.header('x-rest'), 'r');
    const fields = response.fields.map(([name, value]) => `${name.toLowerCase()}: ${value}`);
    assert.ok(fields.includes('x-out: 3') && fields.includes('x-keep: 2'));
    assert.ok(!fields.some(field => field.startsWith('x-inner')));
  });

  it('keep a user where he is while weights move', async () => {
    const apps = { old: await named('old'), new: await named('new') };
    const table = (weight: number) => ({
      matches: [match(0)],
      actions: [action('r[0]', { old: 100 - weight, new: weight })],
    });
    const stage = await routed(table(10), apps, {
      settings: { stickyOn: { kind: 'cookie', name: 'user' } },
    });
    const where = async () => {
      const users = Array.from({ length: 200 }, (_, i) => get('/', `Cookie: a=b; user=${i}; c=d`));
      return ask(stage, ...users);
    };
    const first = await where();
    assert.deepEqual(await where(), first);
    stage.hop.change({ routes: table(40) });
    const second = await where();
    const moved = first.filter((name, i) => name === 'new' && second[i] === 'old');
    assert.equal(moved.length, 0);
    const share = second.filter(name => name === 'new').length;
    assert.ok(share > 50 && share < 115, `${share}`);
  });
});

describe('names', () => {
  const routes = { matches: [match(0)], actions: [action('r[0]', { late: 1 })] };

  it('that come late are waited for, with what was sent meanwhile', async () => {
    const app = await appOf({ request: ({ body, connection }) => connection.send(ok(`got ${body.length}`)) });
    const name = Promise.withResolvers<boolean>();
    const stage = await routed(routes, { late: app }, { naming: () => name.promise });
    stage.client.send(`${request('POST', '/', ['Content-Length: 3000000'])}${'x'.repeat(3_000_000)}`);
    // More than may wait: the client is stopped, and goes on when there is somewhere to go.
    await eventually(() => assert.ok(stage.client.socket.bytesWritten > 500_000));
    name.resolve(true);
    assert.equal((await stage.client.response()).payload, 'got 3000000');
  });

  it('that never come: 503 unresolved', async () => {
    const stage = await routed(routes, {}, { naming: async () => false });
    const [answer] = await ask(stage, get('/'));
    assert.match(answer ?? '', /^503 unresolved: /);
  });

  it('that are bound to nothing: 502 unbound', async () => {
    const stage = await routed(routes, {});
    const [answer] = await ask(stage, get('/'));
    assert.match(answer ?? '', /^502 unbound: /);
  });

  it('without replicas: 503, with l5d-err', async () => {
    const stage = await routed({ ...routes, matches: [] }, {});
    stage.hop.change({ routes: undefined });
    stage.client.send(get('/'));
    const response = await stage.client.response();
    assert.equal(response.start, '503');
    assert.match(response.fields.join(), /l5d-err,no_endpoints/);
  });
});

describe('l5d-dtab', () => {
  const who = 'spiffe://test.mesh/ns/shop/sa/client';
  const DTAB = '/svc/shop/web => /svc/shop/canary ;';
  const overridden = async (dtabFrom: ServiceHttp['settings']['dtabFrom']) => {
    const [own, other] = [await named('own'), await named('other')];
    const stage = await stageOf([own], {
      http: { settings: { ...DEFAULT_SERVICE_SETTINGS, dtabFrom } },
      names: { '/svc/shop/web/http /svc/shop/web=>/svc/shop/canary': [other.address] },
      naming: async key => {
        keys.push(key);
        return true;
      },
    });
    const keys: string[] = [];
    return { stage, own, other, keys };
  };

  it('of those who may is followed, and passed on as context', async () => {
    const { stage, other, keys } = await overridden([{ identities: [who] }]);
    const [answer] = await ask(stage, get('/', `l5d-dtab: ${DTAB}`));
    assert.equal(answer, 'other', keys.join());
    const [seen] = other.requests;
    assert.equal(seen?.header('l5d-dtab'), undefined);
    assert.match(seen?.header('l5d-ctx-dtab') ?? '', /canary/);
    assert.equal(stage.hop.counters().headersRemoved, 0);
  });

  it('of anybody else is removed and counted', async () => {
    const { stage, own } = await overridden([]);
    const answers = await ask(stage, get('/', `l5d-dtab: ${DTAB}`), get('/', `L5D-Ctx-Dtab: ${DTAB}`));
    assert.deepEqual(answers, ['own', 'own']);
    for (const { head } of own.requests) assert.doesNotMatch(head, /dtab|canary/i);
    assert.equal(stage.hop.counters().headersRemoved, 2);
  });

  it('that is none: 400, and nobody sees the request', async () => {
    const { stage, own } = await overridden([{ identities: [who] }]);
    const bad = ['/svc => ', 'x', `/a => /b;${'/a => /b;'.repeat(600)}`];
    const answers = await ask(stage, ...bad.map(dtab => get('/', `l5d-dtab: ${dtab}`)));
    for (const answer of answers) assert.match(answer, /^400 bad_dtab: /);
    assert.equal(own.requests.length, 0);
  });
});

describe('what is said beside the request', () => {
  it('is Linkerd’s context and the names; reserved fields of clients are gone in every spelling', async () => {
    const app = await named('app');
    const stage = await stageOf([app]);
    const passed = ['l5d-ctx-trace: t1', 'l5d-reqid: r1', 'l5d-sample: 1'];
    const forged = [
      'l5d-dst-service: evil',
      'L5D_Dst_Client: evil',
      'x_forwarded_client_cert: evil',
      'l5d-x: evil',
    ];
    await ask(stage, get('/', ...passed, ...forged));
    const [seen] = app.requests;
    assert.doesNotMatch(seen?.head ?? '', /evil/);
    assert.equal(seen?.header('l5d-ctx-trace'), 't1');
    assert.equal(seen?.header('l5d-reqid'), 'r1');
    assert.equal(seen?.header('l5d-sample'), '1');
    assert.equal(seen?.header('l5d-dst-service'), '/svc/shop/web/http');
    assert.equal(seen?.header('l5d-dst-client'), '/#/registry/shop/web/http');
    assert.equal(seen?.header('l5d-dst-residual'), undefined);
    stage.hop.residual = '/rest/of it';
    stage.hop.change({});
    await ask(stage, get('/', 'l5d-dst-residual: evil'));
    assert.equal(app.requests[1]?.header('l5d-dst-residual'), '/rest/of it');
  });

  it('changes when namerd says something new, on the same connection', async () => {
    const [first, second] = [await named('first'), await named('second')];
    const stage = await stageOf([first]);
    assert.deepEqual(await ask(stage, get('/')), ['first']);
    stage.hop.change({}, [second.address]);
    assert.deepEqual(await ask(stage, get('/')), ['second']);
    stage.hop.withoutHttp([first.address]);
    assert.deepEqual(await ask(stage, get('/')), ['first']);
  });
});
