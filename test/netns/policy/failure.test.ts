/** What fails under HTTP load, and who notices: a policy worker, namerd, the proxy without namerd, an application. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { freshAnswer, Traffic } from '../node-proxy/calls.ts';
import { APP_PORT, echo, type MeshPod } from '../node-proxy/rig.ts';
import { route, traffic } from './documents.ts';
import { BYTES_PORT, becomes, HttpMesh, saysWhatItSees, serveHttp } from './http-mesh.ts';
import { ask, CallLoad, Load, outcome } from './requests.ts';

const skip = netnsUnavailable();
const FLOOD = join(import.meta.dirname, '../../../deploy/demo/traffic/flood.ts');
const FLOOD_CONNECTIONS = 1_600;
/** Its connections, and what they were opened again for. */
const LOST_EACH = 8;
const SLOW_MS = 50;
/** A fraction of it, where the machine has nothing else to do. */
const RECOVERED_MS = 3_000;
const UNLIMITED = { limits: { connections: 0, pendingRequests: 0, concurrentRequests: 0 } };
const ROUTED = {
  filters: [
    { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-routed', value: 'yes' }] } },
  ],
};

describe('failures under HTTP load', { skip }, () => {
  let mesh: HttpMesh;
  /**
   * On node 1: a, s, whose namespace has a worker of its own. On node 2: w1 and w2 of one service. x, in no
   * mesh, takes requests and never answers.
   */
  let [a, s, w1, w2, x] = [] as unknown as [MeshPod, MeshPod, MeshPod, MeshPod, MeshPod];
  let [toV, toW, toHole] = ['', '', ''];
  let killW2 = () => {};

  before(async () => {
    mesh = await HttpMesh.open({
      proxy: {
        isolatedNamespaces: ['alone'],
        policyWorkerHeapMb: 64,
        enrolment: { namespaces: ['shop', 'alone'], excludedNamespaces: [] },
      },
    });
    a = await mesh.pod('a', 1);
    await mesh.pod('v', 1);
    s = await mesh.pod('s', 1, { namespace: 'alone' });
    w1 = await mesh.pod('w1', 2, { labels: { app: 'w' } });
    w2 = await mesh.rig.pod('w2', 2, { labels: { app: 'w' }, serves: false });
    const answer = saysWhatItSees('w2');
    // Slow, so that it has requests when it dies.
    killW2 = await serveHttp(w2.ns, APP_PORT, (...call) => void setTimeout(answer, SLOW_MS, ...call));
    await w1.ns.listen('0.0.0.0', BYTES_PORT, echo('w1'));
    x = await mesh.rig.pod('x', 0, { serves: false });
    await x.ns.listen('0.0.0.0', APP_PORT, socket => void socket.resume());
    mesh.rig.register({ ...x, labels: { app: 'hole' } }, { node: 'nowhere' });
    toV = mesh.service('v', 1);
    toW = mesh.service('w', 2);
    toHole = mesh.service('hole', 3);
    await mesh.store(
      route('v', ROUTED),
      route('w', ROUTED),
      traffic('w', {
        balancer: { kind: 'roundRobin' },
        retries: { classifier: 'retryableRead5XX', attempts: 2 },
      }),
      traffic('v', { server: { forwardClientIdentity: true } }),
      route('hole'),
      traffic('hole', UNLIMITED),
    );
    for (const [from, ip] of [
      [a, toV],
      [a, toW],
      [s, toW],
    ] as const)
      await becomes(
        async () => (await ask(from, ip, 80)).headers['x-routed'],
        value => value === 'yes',
      );
    await becomes(
      () => outcome(w1, toV, 80),
      said => said === '200',
    );
  });

  after(() => mesh?.close());

  const restarts = (worker: string) => mesh.count(1, 'worker_restarts_total', { worker });

  test('a policy worker is blown up: others lose nothing, its own requests recover', async t => {
    const before = { own: await restarts('policy-0'), all: await mesh.count(1, 'worker_restarts_total') };
    const others = new Load(s, toW, 80, 50);
    const bytes = new Traffic(30, () => freshAnswer(a, w1.ip, BYTES_PORT));
    const own = new Load(a, toW, 80, 50);
    const flood = a.ns.spawn(process.execPath, [FLOOD, toHole, '80', String(FLOOD_CONNECTIONS)], {
      stdio: 'ignore',
    });
    let died = 0;
    let deadMs = 0;
    const look = async () => {
      const now = (await restarts('policy-0')) - before.own;
      if (now > died) [died, deadMs] = [now, performance.now()];
      return died;
    };
    await becomes(look, count => count > 0, 30_000);
    flood.kill('SIGKILL');
    const since = () =>
      own.answers.filter(({ status, atMs, tookMs }) => status === 200 && atMs - tookMs > deadMs);
    // What of the flood was under way may blow up its successor too.
    await becomes(
      async () => (await look()) > 0 && since().length,
      count => count !== false && count > 20,
      20_000,
    );
    const [ofOthers, ofOwn, ofBytes] = await Promise.all([others.stop(), own.stop(), bytes.stop(/ hello$/)]);
    const lost = own.answers.filter(({ status }) => status !== 200);
    const recovered = own.answers.find(({ status, atMs }) => status === 200 && atMs > deadMs);
    const recoveredMs = (recovered?.atMs ?? Number.POSITIVE_INFINITY) - deadMs;
    t.diagnostic(
      `it died ${died} times; its own: ${JSON.stringify(ofOwn)}, ${longestGap(own).toFixed(0)} ms without`,
    );
    t.diagnostic(`first answer ${recoveredMs.toFixed(0)} ms after the last death was seen`);
    t.diagnostic(`another worker's: ${JSON.stringify(ofOthers)}, slowest ${others.slowestMs.toFixed(0)} ms`);
    t.diagnostic(`bytes: ${bytes.answers.length} connections`);
    assert.equal((await mesh.count(1, 'worker_restarts_total')) - before.all, died, 'only it died');
    assert.deepEqual(Object.keys(ofOthers), ['200']);
    assert.deepEqual(ofBytes, []);
    assert.ok(lost.length <= died * LOST_EACH, JSON.stringify(ofOwn));
    assert.ok(!lost.some(({ error }) => error === 'timed out'), JSON.stringify(ofOwn));
    assert.ok(recoveredMs < RECOVERED_MS);
  });

  test('an application dies: reads are tried elsewhere, the rest is told, nothing hangs', async t => {
    const get = new Load(a, toW, 80, 60, {}, 8);
    const post = new Load(a, toW, 80, 60, { method: 'POST', body: 'x' });
    const calls = new CallLoad(a, toW, 80, 30);
    await becomes(
      () => get.answers.length,
      count => count > 30,
    );
    killW2();
    const count = get.answers.length;
    await becomes(
      () => get.answers.length,
      now => now > count + 60,
    );
    const [gets, posts, rpcs] = await Promise.all([get.stop(), post.stop(), calls.stop()]);
    t.diagnostic(`GET ${JSON.stringify(gets)}, POST ${JSON.stringify(posts)}, calls ${JSON.stringify(rpcs)}`);
    assert.deepEqual(Object.keys(gets), ['200']);
    assert.deepEqual(
      Object.keys(posts).filter(word => !/^(200|502|503)$/.test(word)),
      [],
    );
    assert.ok((posts['502'] ?? 0) + (posts['503'] ?? 0) > 0, 'none was under way');
    assert.deepEqual(
      Object.keys(rpcs).filter(word => !/^(0$|14 )/.test(word)),
      [],
    );
    assert.ok(Math.max(get.slowestMs, post.slowestMs, calls.slowestMs) < 5_000);
  });

  test('namerd is killed: nothing fails', async () => {
    const loads = [new Load(a, toW, 80, 60), new Load(a, toV, 80, 60), new Load(w1, toV, 80, 30)];
    const calls = new CallLoad(a, toW, 80, 30);
    const enough = async () => {
      const before = loads.map(({ answers }) => answers.length);
      await becomes(
        () => loads.every(({ answers }, i) => answers.length > (before[i] ?? 0) + 20),
        done => done,
      );
    };
    await enough();
    await mesh.rig.namerd.kill();
    await enough();
    await enough();
    assert.deepEqual(
      (await Promise.all(loads.map(load => load.stop()))).map(outcomes => Object.keys(outcomes)),
      [['200'], ['200'], ['200']],
    );
    assert.deepEqual(Object.keys(await calls.stop()), ['0']);
  });

  test('a proxy that starts without namerd has routes, names and policies of before', async () => {
    await mesh.rig.proxy(1).kill();
    await mesh.rig.proxy(1).start({ ready: false });
    // Keys live in memory only: within the node none is needed.
    await becomes(
      async () => (await ask(a, toV, 80)).headers['x-routed'],
      value => value === 'yes',
    );
    const { headers } = JSON.parse((await ask(a, toV, 80)).body) as { headers: Record<string, string> };
    assert.match(headers['x-forwarded-client-cert'] ?? '', /sa\/v;URI=.*sa\/a$/);
  });
});

/** The longest time in which nobody was answered 200, milliseconds. */
function longestGap({ answers }: Load): number {
  const at = answers.filter(({ status }) => status === 200).map(({ atMs }) => atMs);
  at.sort((p, q) => p - q);
  return at.reduce((longest, ms, i) => Math.max(longest, ms - (at[i - 1] ?? ms)), 0);
}
