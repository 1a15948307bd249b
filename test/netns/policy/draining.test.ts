/** A proxy is replaced under HTTP load: requests and calls finish, connections are told to end, none fails. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { APP_PORT, type MeshPod } from '../node-proxy/rig.ts';
import { route, traffic } from './documents.ts';
import { becomes, HttpMesh } from './http-mesh.ts';
import { CallLoad, Load, outcome } from './requests.ts';

const skip = netnsUnavailable();
const DRAIN_SECONDS = 10;
/** Which of the loads below. */
const SELDOM = 3;

describe('a proxy that is replaced under HTTP load', { skip }, () => {
  let mesh: HttpMesh;
  /** a on node 1, w on node 2; both judge requests. p on node 1 does not. x is in no mesh. */
  let [a, w, x] = [] as unknown as [MeshPod, MeshPod, MeshPod];
  let [toA, toW, toP] = ['', '', ''];

  before(async () => {
    mesh = await HttpMesh.open({ proxy: { drainSeconds: DRAIN_SECONDS } });
    a = await mesh.pod('a', 1);
    w = await mesh.pod('w', 2);
    x = await mesh.pod('x', 0);
    await mesh.pod('p', 1);
    toA = mesh.service('a', 1);
    toW = mesh.service('w', 2);
    toP = mesh.service('p', 3);
    await mesh.store(route('p'));
    for (const name of ['a', 'w'])
      await mesh.store(route(name), traffic(name, { server: { forwardClientIdentity: true } }));
    for (const [from, ip, port] of [
      [a, toW, 80],
      [w, toA, 80],
      [w, toP, 80],
      [x, a.ip, APP_PORT],
    ] as const)
      await becomes(
        () => outcome(from, ip, port),
        said => said === '200',
      );
    await becomes(
      () => Promise.all([mesh.count(1, 'requests_total'), mesh.count(2, 'requests_total')]),
      counts => counts.every(count => count > 0),
    );
  });

  after(() => mesh?.close());

  test('no request and no call fails', async t => {
    const loads = {
      'kept, out': new Load(a, toW, 80, 80),
      'kept, in': new Load(w, toA, 80, 80),
      'kept, from outside': new Load(x, a.ip, APP_PORT, 40),
      seldom: new Load(a, toW, 80, 2, {}, 8),
      'kept, in, as bytes': new Load(w, toP, 80, 80, { method: 'POST', body: 'x' }),
      'calls, in, as bytes': new CallLoad(w, toP, 80, 40),
      'new, out': new Load(a, toW, 80, 30, { headers: { connection: 'close' } }),
      'calls, out': new CallLoad(a, toW, 80, 40),
      'calls, in': new CallLoad(w, toA, 80, 40),
    };
    const enough = async () => {
      const counts = Object.values(loads).map(({ answers }) => answers.length);
      await becomes(
        () => Object.values(loads).map(({ answers }, i) => answers.length - (counts[i] ?? 0)),
        more => more.every((count, i) => count > (i === SELDOM ? 1 : 20)),
      );
    };
    await enough();
    const proxy = mesh.rig.proxy(1);
    const old = proxy.child;
    await proxy.start();
    const started = performance.now();
    old.signal('SIGTERM');
    assert.equal(await old.exited, 'exit 0');
    const tookMs = performance.now() - started;
    t.diagnostic(`the old process has ended after ${tookMs.toFixed(0)} ms`);
    assert.ok(tookMs < DRAIN_SECONDS * 1_000 - 2_000, 'it waits for connections that nobody uses');
    await enough();
    for (const [name, load] of Object.entries(loads)) {
      const outcomes = await load.stop();
      t.diagnostic(`${name}: ${JSON.stringify(outcomes)}, slowest ${load.slowestMs.toFixed(0)} ms`);
      const { '200': _, '0': __, ...failed } = outcomes;
      assert.deepEqual(failed, {}, name);
    }
  });
});
