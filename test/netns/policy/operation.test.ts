/** What operators do, and what breaks, under HTTP load: namerd anew, roots anew, pods that come and go, a cable cut. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { netnsUnavailable, run } from '../../lib/netns.ts';
import { APP_PORT, type MeshPod } from '../node-proxy/rig.ts';
import { authorization, route, traffic } from './documents.ts';
import { becomes, type Handler, HttpMesh, saysWhatItSees } from './http-mesh.ts';
import { ask, CallLoad, Load, outcome } from './requests.ts';

const skip = netnsUnavailable();
const CHANGES = 30;

function routed(value: string) {
  const set = [{ name: 'x-routed', value }];
  return route('w', { filters: [{ type: 'ResponseHeaderModifier', responseHeaderModifier: { set } }] });
}

describe('operation under HTTP load', { skip }, () => {
  let mesh: HttpMesh;
  /** a and w1 on node 1, w2 on node 2, of one service; late on node 2 joins the mesh later. */
  let [a, w1, w2, late] = [] as unknown as [MeshPod, MeshPod, MeshPod, MeshPod];
  let [toW, toLate] = ['', ''];
  /** Answers that wait to be given. */
  const held: (() => void)[] = [];
  let loads: (Load | CallLoad)[] = [];

  before(async () => {
    mesh = await HttpMesh.open();
    a = await mesh.pod('a', 1);
    const pod = (name: string, node: number) => {
      const answer = saysWhatItSees(name);
      const handler: Handler = (request, response) => {
        if (request.url?.startsWith('/slow') === true) held.push(() => answer(request, response));
        else answer(request, response);
      };
      return mesh.pod(name, node, { labels: { app: 'w' }, handler });
    };
    w1 = await pod('w1', 1);
    w2 = await pod('w2', 2);
    late = await mesh.pod('late', 2, { announced: false });
    toW = mesh.service('w', 1);
    toLate = mesh.service('late', 2);
    await mesh.store(
      route('late'),
      traffic('late', { server: { forwardClientIdentity: true } }),
      routed('first'),
      traffic('w', {
        balancer: { kind: 'roundRobin' },
        timeouts: { perTry: '1s' },
        retries: { classifier: 'retryableRead5XX', attempts: 2, budget: { minRetriesPerSecond: 100 } },
        server: { forwardClientIdentity: true },
      }),
    );
    for (const name of ['w1', 'w2'])
      await becomes(
        async () => (await ask(a, toW, 80)).body,
        body => body.includes(`"by":"${name}"`),
      );
    await becomes(
      () => mesh.count(2, 'requests_total'),
      count => count > 0,
    );
  });

  after(() => mesh?.close());

  const start = async () => {
    loads = [
      new Load(a, toW, 80, 60),
      new Load(a, toW, 80, 30, { headers: { connection: 'close' } }),
      new CallLoad(a, toW, 80, 30),
    ];
    await enough();
  };
  const enough = async (more = 20) => {
    const before = loads.map(({ answers }) => answers.length);
    await becomes(
      () => loads.every(({ answers }, i) => answers.length > (before[i] ?? 0) + more),
      done => done,
    );
  };
  const stop = async (t: { diagnostic(text: string): void }) => {
    const outcomes = await Promise.all(loads.map(load => load.stop()));
    t.diagnostic(
      `${JSON.stringify(outcomes)}, slowest ${Math.max(...loads.map(({ slowestMs }) => slowestMs)).toFixed(0)} ms`,
    );
    return outcomes.map(counts => Object.keys(counts));
  };
  const ALL_WELL = [['200'], ['200'], ['0']];

  test('a route is changed again and again', async t => {
    await start();
    for (let i = 0; i < CHANGES; i++) await mesh.store(routed(`change-${i}`));
    await becomes(
      async () => (await ask(a, toW, 80)).headers['x-routed'],
      value => value === `change-${CHANGES - 1}`,
    );
    await enough();
    assert.deepEqual(await stop(t), ALL_WELL);
  });

  test('namerd is started anew', async t => {
    await start();
    await mesh.rig.namerd.kill();
    await enough();
    await mesh.rig.namerd.start();
    await mesh.store(routed('by the new one'));
    await becomes(
      async () => (await ask(a, toW, 80)).headers['x-routed'],
      value => value === 'by the new one',
    );
    assert.deepEqual(await stop(t), ALL_WELL);
  });

  test('roots are replaced', async t => {
    await start();
    const { status } = await mesh.rig.namerd.control.ask('/api/1/ca/rotate', { method: 'POST' });
    assert.equal(status, 200);
    await enough(60);
    assert.deepEqual(await stop(t), ALL_WELL);
  });

  test('a server joins the mesh: busy connections to it are not plaintext for long', async t => {
    loads = [new Load(a, toLate, 80, 60), new CallLoad(a, toLate, 80, 30)];
    await enough();
    const inside = (version: string) =>
      mesh.count(2, 'requests_total', { destination_workload: 'shop/late', security: 'mutual_tls', version });
    const joined = await mesh.rig
      .proxy(2)
      .command('enroll', '--netns', late.ns.path, '--workload', 'shop/late');
    assert.equal(joined.code, 0, joined.err);
    const tookMs = await becomes(
      () => Promise.all([inside('http1'), inside('grpc')]),
      counts => counts.every(count => count > 10),
    );
    t.diagnostic(`by tunnel, and judged, after ${tookMs.toFixed(0)} ms`);
    assert.deepEqual(await stop(t), [['200'], ['0']]);
  });

  test('a request under way is judged again, wherever it came in', async () => {
    const under = [ask(a, w1.ip, APP_PORT, { path: '/slow' }), ask(a, w2.ip, APP_PORT, { path: '/slow' })];
    const kept = ask(a, w2.ip, APP_PORT, { path: '/slow?kept', headers: { 'x-kept': 'yes' } });
    await becomes(
      () => held.length,
      count => count === 3,
    );
    const denied = authorization('slow', 'w', {
      action: 'DENY',
      rules: [{ to: [{ paths: ['/slow'], headers: [{ name: 'x-kept', notValues: ['yes'] }] }] }],
    });
    await mesh.store(denied);
    const outcomes = (await Promise.all(under)).map(({ status }) => status);
    assert.ok(
      outcomes.every(status => status === 0 || status === 403 || status === 502 || status === 503),
      `${outcomes}`,
    );
    for (const answer of held.splice(0)) answer();
    assert.equal((await kept).status, 200);
    await mesh.discard(denied);
  });

  test('a cable is cut: what is under way is tried elsewhere', async t => {
    await start();
    await run('ip', ['-n', mesh.rig.wire.name, 'link', 'set', 'node-2', 'down']);
    await enough(40);
    const gets = loads.slice(0, 2) as Load[];
    await run('ip', ['-n', mesh.rig.wire.name, 'link', 'set', 'node-2', 'up']);
    await enough();
    const outcomes = await stop(t);
    assert.deepEqual(outcomes.slice(0, 2), ALL_WELL.slice(0, 2));
    assert.ok(gets.every(({ slowestMs }) => slowestMs < 5_000));
    assert.equal(await outcome(a, toW, 80), '200');
  });
});
