/** Limits of a service and of the worker: who finds no place waits its turn, and is refused only over a bound. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_CLIENT_SETTINGS } from '#api';
import { FakeClock } from '../../../lib/fake-clock.ts';
import { ok } from '../../../lib/http-policy/app.ts';
import { eventually } from '../../../lib/http-policy/loopback.ts';
import { get, post, request } from '../../../lib/http-policy/raw-client.ts';
import { appOf, clientOf, closeAfterEach, echoApp, stageOf } from '../../../lib/http-policy/stage.ts';

closeAfterEach();

const limited = (limits: Partial<(typeof DEFAULT_CLIENT_SETTINGS)['limits']>) => ({
  client: { ...DEFAULT_CLIENT_SETTINGS, limits: { ...DEFAULT_CLIENT_SETTINGS.limits, ...limits } },
});

describe('requests beyond the connections of a service', () => {
  it('wait for one that is given back, each in turn', async () => {
    const held: (() => void)[] = [];
    const app = await appOf({
      request: ({ connection }) => void held.push(() => connection.send(ok('done'))),
    });
    const { hop, port } = await stageOf([app], limited({ connections: 2, pending: 100 }));
    const clients = await Promise.all(Array.from({ length: 12 }, () => clientOf(port)));
    for (const client of clients) client.send(get('/'));
    for (let answered = 0; answered < 12; answered++) {
      await eventually(() => assert.ok(held.length > 0));
      held.shift()?.();
    }
    for (const client of clients) assert.equal((await client.responses(1))[0]?.start, '200');
    assert.equal(hop.dialled, 2);
  });

  it('are refused when too many wait', async () => {
    const held: (() => void)[] = [];
    const app = await appOf({
      request: ({ connection }) => void held.push(() => connection.send(ok('done'))),
    });
    const { port } = await stageOf([app], limited({ connections: 1, pending: 1 }));
    const [first, second, third] = [await clientOf(port), await clientOf(port), await clientOf(port)];
    first.send(get('/'));
    await eventually(() => assert.equal(held.length, 1));
    second.send(get('/'));
    third.send(get('/'));
    const refused = await Promise.race([second.responses(1), third.responses(1)]);
    assert.match(refused[0]?.payload ?? '', /^503 overloaded: 1 requests wait for a connection/);
    held.shift()?.();
    await eventually(() => assert.equal(held.length, 1));
    held.shift()?.();
    assert.equal((await first.responses(1))[0]?.start, '200');
  });

  it('get the place of a connection to another endpoint', async () => {
    const names: string[] = [];
    const named = (name: string) =>
      appOf({
        request: ({ connection }) => {
          names.push(name);
          connection.send(ok(name));
        },
      });
    const { port } = await stageOf([await named('a'), await named('b')], {
      client: {
        ...DEFAULT_CLIENT_SETTINGS,
        balancer: { kind: 'roundRobin', decayMs: 10_000 },
        limits: { ...DEFAULT_CLIENT_SETTINGS.limits, connections: 1 },
      },
    });
    const clients = await Promise.all(Array.from({ length: 6 }, () => clientOf(port)));
    for (const client of clients) client.send(get('/'));
    for (const client of clients) assert.equal((await client.responses(1))[0]?.start, '200');
    assert.deepEqual([...new Set(names)].sort(), ['a', 'b']);
  });

  it('get the place of a connection to another endpoint that only waits', { timeout: 5_000 }, async () => {
    const { client } = await stageOf([await echoApp(), await echoApp()], {
      client: {
        ...DEFAULT_CLIENT_SETTINGS,
        balancer: { kind: 'roundRobin', decayMs: 10_000 },
        limits: { ...DEFAULT_CLIENT_SETTINGS.limits, connections: 1 },
      },
    });
    for (let i = 1; i <= 4; i++) {
      client.send(get('/'));
      assert.equal((await client.responses(i))[i - 1]?.start, '200');
    }
  });

  it('get the place of one that has waited for too long to be used again', { timeout: 5_000 }, async () => {
    const clock = new FakeClock();
    const { hop, client } = await stageOf([await echoApp()], { ...limited({ connections: 1 }), clock });
    client.send(post('/', 'a'));
    assert.equal((await client.responses(1, ['POST']))[0]?.start, '200');
    clock.advance(2_000);
    client.send(post('/', 'b'));
    assert.equal((await client.responses(2, ['POST', 'POST']))[1]?.start, '200');
    assert.equal(hop.dialled, 2);
  });

  it('give their turn to others when they are given up', { timeout: 5_000 }, async () => {
    const held: (() => void)[] = [];
    const app = await appOf({
      request: ({ connection }) => void held.push(() => connection.send(ok('done'))),
    });
    const { hop, client, port } = await stageOf([app], limited({ connections: 1, pending: 1 }));
    client.send(get('/'));
    await eventually(() => assert.equal(held.length, 1));
    const gone = await clientOf(port);
    gone.send(get('/gone'));
    gone.reset();
    await eventually(() => assert.equal(hop.lastEntry?.path, '/gone'));
    const next = await clientOf(port);
    next.send(get('/next'));
    await eventually(() => assert.ok(next.bytes > 0 || hop.policy.connections === 2));
    held.shift()?.();
    assert.equal((await client.responses(1))[0]?.start, '200');
    await eventually(() => assert.equal(held.length, 1));
    held.shift()?.();
    assert.equal((await next.responses(1))[0]?.start, '200');
    assert.equal(hop.dialled, 1);
    assert.deepEqual(
      app.requests.map(({ target }) => target),
      ['/', '/next'],
    );
  });
});

it('heads of waiting requests have a bound, beyond which requests are refused', async () => {
  const held: (() => void)[] = [];
  const app = await appOf({ request: ({ connection }) => void held.push(() => connection.send(ok('done'))) });
  const { port } = await stageOf([app], { limits: { heldBytes: 3_000 } });
  const large = request('GET', '/', [`X-Large: ${'x'.repeat(1_900)}`]);
  const [first, second] = [await clientOf(port), await clientOf(port)];
  first.send(large);
  await eventually(() => assert.equal(held.length, 1));
  second.send(large);
  assert.match((await second.responses(1))[0]?.payload ?? '', /^503 overloaded: /);
  held.shift()?.();
  assert.equal((await first.responses(1))[0]?.start, '200');
  const third = await clientOf(port);
  third.send(large);
  await eventually(() => assert.equal(held.length, 1));
  held.shift()?.();
  assert.equal((await third.responses(1))[0]?.start, '200');
});
