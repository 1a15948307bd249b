/** namerd is gone: what is known stays in force, also for a proxy that starts anew; it is back: changes flow. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MeshError } from '#base/errors.ts';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask } from '../tunnel/rig.ts';
import { freshAnswer, settles } from './calls.ts';
import { type MeshPod, MeshRig, total } from './rig.ts';

const skip = netnsUnavailable();
const RESOLVE_TIMEOUT_MS = 500;
/** Under load; an idle machine takes a tenth. */
const BACK_WITHIN_MS = 2_000;

describe('without namerd', { skip }, () => {
  let rig: MeshRig;
  let a: MeshPod;
  let b: MeshPod;
  let c: MeshPod;
  let x: MeshPod;
  let vip: string;

  before(async () => {
    rig = await MeshRig.open({
      proxy: { staleAfterSeconds: 1, limits: { resolveTimeoutMs: RESOLVE_TIMEOUT_MS } },
    });
    [a, b, c, x] = [
      await rig.pod('a', 1),
      await rig.pod('b', 1),
      await rig.pod('c', 2),
      await rig.pod('x', 0),
    ];
    vip = rig.service('c', 1);
    rig.service('b', 2);
    // What is known later must have been used before.
    for (const to of [b, c, x]) await settles(() => freshAnswer(a, to.ip), /^[bcx] 10\.244\.1\.2 /);
    await settles(() => freshAnswer(a, vip, 80), /^c /);
  });

  after(() => rig?.close());

  test('connections go on, new ones to known destinations are made, unknown ones are refused in time', async t => {
    const open = await a.ns.connect(vip, 80);
    await ask(open, 'before');
    await rig.namerd.kill();
    assert.match(await ask(open, 'after'), /^c .* after$/);
    open.destroy();
    for (const to of [b, c, x]) assert.match(await freshAnswer(a, to.ip), new RegExp(`^${to.name} `));
    assert.match(await freshAnswer(a, vip, 80), /^c /);
    const start = performance.now();
    assert.match(await freshAnswer(a, '10.96.0.2', 80), /refused/);
    const tookMs = performance.now() - start;
    assert.ok(tookMs >= RESOLVE_TIMEOUT_MS - 50 && tookMs < RESOLVE_TIMEOUT_MS + 1_500, `${tookMs} ms`);
    const proxy = rig.proxy(1);
    await settles(
      async () => String(total(await proxy.admin.metrics(), 'refusals_total', { reason: 'unresolved' }) > 0),
      /true/,
    );
    await settles(async () => String((await proxy.admin.ask('/ready')).status), /503/);
    const { blockers } = (await proxy.admin.json('/ready')) as { blockers: Record<string, string> };
    assert.deepEqual(Object.keys(blockers), ['namerd']);
    assert.ok(total(await proxy.admin.metrics(), 'binding_staleness_seconds') >= 1);
    await rig.namerd.start();
    const back = performance.now();
    await rig.setDtab('/svc/shop/c => /#/registry/shop/b;');
    await settles(() => freshAnswer(a, vip, 80), /^b /);
    const flowedMs = performance.now() - back;
    t.diagnostic(`a change acts ${flowedMs.toFixed(0)} ms after namerd is back`);
    assert.ok(flowedMs < BACK_WITHIN_MS, `${flowedMs} ms`);
    await rig.setDtab('');
    await settles(() => freshAnswer(a, vip, 80), /^c /);
    await settles(async () => String((await proxy.admin.ask('/ready')).status), /200/);
  });

  test('a proxy that starts serves its pods from the last good snapshot', async t => {
    const proxy = rig.proxy(1);
    await rig.namerd.kill();
    await proxy.kill();
    const start = performance.now();
    await proxy.start({ ready: false });
    t.diagnostic(`serves ${(performance.now() - start).toFixed(0)} ms after its start`);
    assert.match(await freshAnswer(a, b.ip), /^b 10\.244\.1\.2 /, 'same node');
    assert.match(await freshAnswer(a, x.ip), /^x /, 'a known foreign destination');
    assert.match(await freshAnswer(x, a.ip), /^a 10\.99\.0\./, 'plaintext from outside');
    const [seen] = await Promise.all([freshAnswer(a, c.ip), freshAnswer(a, vip, 80)]);
    assert.match(seen, /refused/, 'no certificate, no tunnel');
    await settles(
      async () => String(total(await proxy.admin.metrics(), 'refusals_total', { reason: 'no_certificate' })),
      /^2$/,
    );
    const { status, body } = await proxy.admin.ask('/ready');
    const { blockers } = JSON.parse(body) as { blockers: Record<string, string> };
    assert.equal(status, 503);
    assert.match(blockers['identity'] ?? '', /has not joined/);
    assert.match(blockers['certificates'] ?? '', /ns\/shop\/sa\/a.*ns\/shop\/sa\/b/);
    const error = await rig.pod('late', 1).catch((refused: unknown) => refused);
    assert.ok(error instanceof MeshError);
    assert.equal(error.code, 'NM_NOT_READY');
  });

  test('and takes up the rest when namerd is back', async () => {
    await rig.namerd.start();
    await settles(() => freshAnswer(a, c.ip), /^c /);
    await settles(() => freshAnswer(c, a.ip), /^a 10\.244\.2\./);
    await settles(async () => String((await rig.proxy(1).admin.ask('/ready')).status), /200/);
  });

  test('a damaged snapshot is ignored, and said so', async () => {
    const proxy = rig.proxy(1);
    const file = join(proxy.stateDir, 'last-good.json');
    await proxy.kill();
    writeFileSync(file, readFileSync(file, 'utf8').replace('shop/a', 'shop/b'));
    await proxy.start();
    assert.equal(proxy.logged('the last good snapshot is not used').length, 1);
    await settles(() => freshAnswer(a, c.ip), /^c /);
  });
});
