/** Documents come and go while connections are open and under load: nothing fails that is not meant to. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { APP_PORT, type MeshPod } from '../node-proxy/rig.ts';
import { ended } from '../tunnel/rig.ts';
import { authorization, route, traffic } from './documents.ts';
import { BYTES_PORT, becomes, HttpMesh } from './http-mesh.ts';
import { ask, Load, outcome } from './requests.ts';

const skip = netnsUnavailable();
const PER_SECOND = 60;
/** Of one load, open at once. */
const CONNECTIONS = 4;

describe('documents that come and go under load', { skip }, () => {
  let mesh: HttpMesh;
  /** a and b on node 1, w on node 2, x in no mesh. */
  let [a, b, w, x] = [] as unknown as [MeshPod, MeshPod, MeshPod, MeshPod];
  let vip = '';
  let loads: Load[] = [];

  before(async () => {
    mesh = await HttpMesh.open();
    a = await mesh.pod('a', 1);
    b = await mesh.pod('b', 1);
    w = await mesh.pod('w', 2);
    x = await mesh.pod('x', 0);
    vip = mesh.service('w', 1);
    mesh.service('b', 2);
    await w.ns.listen('0.0.0.0', BYTES_PORT, socket => socket.pipe(socket));
    for (const [from, ip, port] of [
      [a, vip, 80],
      [b, w.ip, APP_PORT],
      [x, w.ip, APP_PORT],
      [w, vip, 81],
    ] as const)
      await becomes(
        () => outcome(from, ip, port),
        said => said === '200',
      );
  });

  after(() => mesh?.close());

  /** Short and kept connections, by name and by IP, from the other node, the same, and from outside. */
  const start = () => {
    loads = [
      new Load(a, vip, 80, PER_SECOND),
      new Load(a, vip, 81, PER_SECOND / 2, { headers: { connection: 'close' } }),
      new Load(b, w.ip, APP_PORT, PER_SECOND / 2, { headers: { connection: 'close' } }),
      new Load(x, w.ip, APP_PORT, PER_SECOND / 2, { headers: { connection: 'close' } }),
    ];
  };
  /** @returns what failed. */
  const stop = async () => {
    const all = await Promise.all(loads.map(load => load.stop()));
    return all.map(({ '200': _, ...failed }) => failed);
  };
  const requests = (node: number) =>
    mesh.count(node, 'requests_total', { reporter: node === 1 ? 'source' : 'destination' });
  const grows = async (node: number) => {
    const before = await requests(node);
    return becomes(
      () => requests(node),
      now => now > before + 10,
    );
  };

  test('a route: new connections follow it, and none fails; when it is gone they are bytes again', async t => {
    start();
    await becomes(
      () => loads[0]?.answers.length ?? 0,
      count => count > 20,
    );
    const added = route('w', {
      filters: [
        {
          type: 'ResponseHeaderModifier',
          responseHeaderModifier: { set: [{ name: 'x-routed', value: 'yes' }] },
        },
      ],
    });
    const stored = performance.now();
    await mesh.store(added);
    const routed = async () => (await ask(a, vip, 80)).headers['x-routed'];
    await becomes(routed, value => value === 'yes');
    t.diagnostic(`in force after ${(performance.now() - stored).toFixed(0)} ms`);
    // Each of these is a new connection; those of the load were there before, and stay bytes while they are kept.
    const before = await requests(1);
    for (let i = 0; i < 12; i++) assert.equal(await routed(), 'yes');
    await becomes(
      () => requests(1),
      now => now >= before + 12,
    );
    await mesh.discard(added);
    await becomes(routed, value => value === undefined);
    assert.deepEqual(await stop(), [{}, {}, {}, {}]);
  });

  test('a policy about requests: open L4 connections of the pod are judged again, tunnels come anew', async t => {
    const open: Socket[] = [];
    for (const from of [a, b, x]) open.push(await from.ns.connect(w.ip, BYTES_PORT));
    for (const socket of open) await echoed(socket);
    start();
    await becomes(
      () => loads[0]?.answers.length ?? 0,
      count => count > 20,
    );
    // HTTP for everybody, and bytes from b.
    const readers = authorization('readers', 'w', {
      rules: [
        { to: [{ methods: ['GET'] }] },
        { from: [{ identities: ['*/sa/b'] }], to: [{ ports: [BYTES_PORT] }] },
      ],
    });
    await mesh.store(readers);
    await Promise.all([ended(open[0] as Socket), ended(open[2] as Socket)]);
    await echoed(open[1] as Socket);
    await becomes(
      () => outcome(a, w.ip, APP_PORT, { method: 'DELETE' }),
      said => said === '403',
    );
    await grows(2);
    await mesh.discard(readers);
    await becomes(
      () => outcome(a, w.ip, APP_PORT, { method: 'DELETE' }),
      said => said === '200',
    );
    await echoed(open[1] as Socket);
    for (const socket of open) socket.destroy();
    const failed = await stop();
    t.diagnostic(JSON.stringify(failed));
    // To the pod's node they were bytes: what was under way when rules about requests came could not be judged by them.
    const lost = failed.map(outcomes => Object.values(outcomes).reduce((sum, count) => sum + count, 0));
    assert.ok(
      lost.every(count => count <= CONNECTIONS),
      `${lost}`,
    );
    assert.deepEqual(
      [...new Set(failed.flatMap(outcomes => Object.keys(outcomes)))].slice(0, 1),
      lost.some(count => count > 0) ? ['ECONNRESET'] : [],
    );
  });

  test('a pod starts and stops to ask for HTTP ten times: no call fails', async t => {
    start();
    const asks = traffic('w', { server: { concurrentRequests: 500 } });
    for (let turn = 0; turn < 10; turn++) {
      await mesh.store(asks);
      await grows(2);
      await mesh.discard(asks);
      await becomes(
        async () => {
          const before = await requests(2);
          await ask(b, w.ip, APP_PORT);
          return (await requests(2)) - before;
        },
        more => more === 0,
        20_000,
      );
    }
    const failed = await stop();
    const count = loads.reduce((sum, { answers }) => sum + answers.length, 0);
    t.diagnostic(
      `${count} requests; slowest ${Math.max(...loads.map(({ slowestMs }) => slowestMs)).toFixed(0)} ms`,
    );
    assert.deepEqual(failed, [{}, {}, {}, {}]);
  });

  test('a port is declared to be bytes, and HTTP again', async () => {
    const added = route('w', {}, 81);
    await mesh.store(added);
    start();
    await grows(1);
    const before = await requests(1);
    await mesh.store(traffic('w', { protocol: 'opaque' }));
    await becomes(
      async () => {
        const count = await requests(1);
        await ask(a, vip, 81);
        return (await requests(1)) - count;
      },
      more => more === 0,
      20_000,
    );
    await mesh.discard(traffic('w', {}));
    await grows(1);
    assert.ok((await requests(1)) > before);
    await mesh.discard(added);
    assert.deepEqual(await stop(), [{}, {}, {}, {}]);
  });
});

async function echoed(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gone = () => reject(new Error('closed without an answer'));
  socket.once('close', gone);
  socket.once('data', () => {
    socket.off('close', gone);
    resolve();
  });
  socket.write('hello');
  await promise;
}
