/** A proxy ends, or is replaced by a new process: what is open finishes, what is new goes elsewhere, nobody is refused. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPrivateKey } from '#trust';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask, ended } from '../tunnel/rig.ts';
import { freshAnswer, settles, Traffic } from './calls.ts';
import { foreignPeer } from './foreign-peer.ts';
import { APP_PORT, type MeshPod, MeshRig, total } from './rig.ts';

const skip = netnsUnavailable();
const DRAIN_SECONDS = 3;
const ANSWER = /^[ac] 10\.\d+\.\d+\.\d+ hello$/;

describe('a proxy that ends', { skip }, () => {
  let rig: MeshRig;
  let a: MeshPod;
  let c: MeshPod;
  let x: MeshPod;

  before(async () => {
    rig = await MeshRig.open({ proxy: { drainSeconds: DRAIN_SECONDS } });
    [a, c, x] = [await rig.pod('a', 1), await rig.pod('c', 2), await rig.pod('x', 0)];
    for (const [from, to] of [
      [a, c],
      [c, a],
      [x, a],
    ] as const)
      await settles(() => freshAnswer(from, to.ip), ANSWER);
  });

  after(() => rig?.close());

  test('is replaced under 200 new connections a second, in all directions, and none fails', async t => {
    const proxy = rig.proxy(1);
    const old = proxy.child;
    const out = await a.ns.connect(c.ip, APP_PORT);
    const into = await c.ns.connect(a.ip, APP_PORT);
    for (const socket of [out, into]) await ask(socket, 'before');
    const traffic = {
      'through a tunnel out': new Traffic(80, () => freshAnswer(a, c.ip)),
      'through a tunnel in': new Traffic(80, () => freshAnswer(c, a.ip)),
      'from outside': new Traffic(40, () => freshAnswer(x, a.ip)),
    };
    await sleep(500);
    await proxy.start();
    old.signal('SIGTERM');
    await sleep(300);
    for (const socket of [out, into]) assert.match(await ask(socket, 'draining'), / draining$/);
    assert.ok(old.running, 'the old process waits for its open connections');
    for (const socket of [out, into]) socket.destroy();
    assert.equal(await old.exited, 'exit 0');
    await sleep(300);
    for (const [what, calls] of Object.entries(traffic)) {
      const failed = await calls.stop(ANSWER);
      t.diagnostic(`${what}: ${calls.answers.length} connections`);
      assert.deepEqual(failed, [], what);
      assert.ok(calls.answers.length > 40, what);
    }
    const opened = { reporter: 'destination', destination_workload: 'shop/a' };
    await settles(
      async () => String(total(await proxy.admin.metrics(), 'connections_opened_total', opened) > 10),
      /true/,
    );
  });

  test('says GOAWAY, lets open connections finish, takes no new ones, and ends with 0', async () => {
    const proxy = rig.proxy(1);
    const ca = (file: string) => readFileSync(join(rig.folder, 'ca', file), 'utf8');
    const issuer = { certPem: ca('roots.pem'), privateKey: readPrivateKey(ca('root.key')) };
    const peer = await foreignPeer(x, a, issuer);
    const stream = peer.request({ ':method': 'CONNECT', ':authority': `${a.ip}:${APP_PORT}` });
    stream.on('error', () => {});
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 200);
    stream.write('before');
    assert.match(String((await once(stream, 'data'))[0]), /^a .* before$/);
    const open = await a.ns.connect(c.ip, APP_PORT);
    await ask(open, 'before');
    const goaway = once(peer, 'goaway');
    const start = performance.now();
    proxy.child.signal('SIGTERM');
    const [code] = await goaway;
    assert.equal(code, 0);
    stream.write('draining');
    assert.match(String((await once(stream, 'data'))[0]), /^a .* draining$/);
    assert.match(await ask(open, 'draining'), /^c .* draining$/);
    for (const refused of [freshAnswer(a, c.ip), freshAnswer(x, a.ip)])
      assert.match(await refused, /ECONNREFUSED/);
    assert.ok(proxy.child.running);
    const closed = ended(open);
    assert.equal(await proxy.child.exited, 'exit 0');
    const tookMs = performance.now() - start;
    assert.ok(tookMs > DRAIN_SECONDS * 1000 - 100 && tookMs < DRAIN_SECONDS * 1000 + 2_000, `${tookMs} ms`);
    await closed;
    peer.destroy();
    await proxy.start();
    for (const answer of [freshAnswer(a, c.ip), freshAnswer(c, a.ip)]) assert.match(await answer, ANSWER);
  });

  test('ends at once when nothing is open', async () => {
    const proxy = rig.proxy(1);
    const start = performance.now();
    assert.equal(await proxy.stop(), 'exit 0');
    const tookMs = performance.now() - start;
    assert.ok(tookMs < DRAIN_SECONDS * 1000 - 500, `${tookMs} ms`);
  });
});
