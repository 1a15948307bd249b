/** What an operator sees and does on a node: labels, commands, repaired capture, metrics. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NodeRefused } from '#cni';
import { netnsUnavailable, onPath } from '../../lib/netns.ts';
import { ask } from '../tunnel/rig.ts';
import { freshAnswer, settles } from './calls.ts';
import { APP_PORT, type MeshPod, MeshRig, total } from './rig.ts';

const skip = netnsUnavailable();

describe('a node in operation', { skip }, () => {
  let rig: MeshRig;
  let a: MeshPod;
  let c: MeshPod;
  let x: MeshPod;

  before(async () => {
    rig = await MeshRig.open({ proxy: { tunnelWorkers: 2 } });
    [a, c, x] = [await rig.pod('a', 1), await rig.pod('c', 2), await rig.pod('x', 0)];
    rig.service('c', 1);
  });

  after(() => rig?.close());

  const podOf = async (node: number, workload: string) => {
    const { pods } = (await rig.proxy(node).local.ask('GET', '/v1/status')) as {
      pods: { workload: string; state: string; because?: string; identity?: string }[];
    };
    return pods.find(pod => pod.workload === workload);
  };
  const stateOf = async (node: number, workload: string) => (await podOf(node, workload))?.state ?? 'unknown';
  const chains = async (pod: MeshPod) =>
    (await pod.ns.run('iptables-save')).stdout.match(/NODEMESH_\w+/g) ?? [];

  test('the label of a workload takes a running pod in and lets it go, without a restart', async () => {
    const labels = (mesh: string) => ({ app: 'd', 'nodemesh.io/mesh': mesh });
    const d = await rig.pod('d', 1, { namespace: 'other', labels: { app: 'd' } });
    assert.equal(await stateOf(1, 'other/d'), 'outside');
    assert.deepEqual(await chains(d), []);
    const open = await d.ns.connect(x.ip, APP_PORT);
    await ask(open, 'outside');
    d.labels = labels('enabled');
    rig.register(d);
    await settles(() => stateOf(1, 'other/d'), /^inside$/);
    assert.match(await freshAnswer(d, c.ip), /^c /);
    await settles(async () => {
      const secured = { source_workload: 'other/d', security: 'mutual_tls' };
      return String(total(await rig.proxy(1).admin.metrics(), 'connections_opened_total', secured));
    }, /^1$/);
    assert.match(await ask(open, 'kept'), /^x .* kept$/, 'a connection from before goes on');
    open.destroy();
    d.labels = labels('disabled');
    rig.register(d);
    await settles(() => stateOf(1, 'other/d'), /^outside$/);
    assert.deepEqual(await chains(d), []);
    assert.match(await freshAnswer(d, x.ip), /^x /);
    await settles(async () => (await podOf(1, 'other/d'))?.because ?? '', /^label /);
    // And once more while a connection is open, for the last test.
    for (const [mesh, is] of [
      ['enabled', /^inside$/],
      ['disabled', /^leaving$/],
      ['enabled', /^leaving$/],
    ] as const) {
      d.labels = labels(mesh);
      rig.register(d);
      await settles(() => stateOf(1, 'other/d'), is);
      if (mesh === 'enabled') await ask(await d.ns.connect(c.ip, APP_PORT), 'open');
    }
  });

  test('pods that come at once are all enrolled and all written down', async () => {
    const names = Array.from({ length: 6 }, (_, i) => `crowd-${i}`);
    const pods: MeshPod[] = [];
    for (const name of names) pods.push(await rig.pod(name, 2, { announced: false, serves: false }));
    await Promise.all(pods.map(pod => rig.announce(pod)));
    for (const { name } of pods) assert.equal(await stateOf(2, `shop/${name}`), 'inside');
    const records = JSON.parse(readFileSync(join(rig.proxy(2).stateDir, 'pods.json'), 'utf8')) as object[];
    assert.equal(records.filter(record => 'captured' in record && record.captured === true).length, 7);
  });

  test('capture that was flushed or deleted is put back and counted', async t => {
    const proxy = rig.proxy(1);
    const repairs = async () => total(await proxy.admin.metrics(), 'capture_repairs_total');
    const before = await repairs();
    const whole = (await chains(a)).length;
    assert.ok(whole > 0);
    const scripts = {
      'the nat table flushed': 'iptables -t nat -F',
      'all chains deleted': 'for t in nat mangle; do iptables -t $t -F; iptables -t $t -X; done',
      'the jump taken out': 'iptables -t nat -D OUTPUT 1',
    };
    const stranger = await rig.pod('stranger', 1, { announced: false, serves: false });
    // It waits for the workload to appear, so it waits beside the others.
    const unknown = proxy.local
      .ask('POST', '/v1/enroll', { netns: stranger.ns.path, workload: 'shop/nobody' })
      .catch((error: unknown) => error);
    await Promise.all(
      Object.entries(scripts).map(async ([how, script], i) => {
        const pod = await rig.pod(`flushed-${i}`, 1, { serves: false });
        const start = performance.now();
        await pod.ns.run('sh', '-c', script);
        // It may be mended before anybody could look; that something was to be mended is counted below.
        await settles(async () => String((await chains(pod)).length), new RegExp(`^${whole}$`));
        t.diagnostic(`${how}: back after ${(performance.now() - start).toFixed(0)} ms`);
        assert.match(await freshAnswer(pod, c.ip), /^c /);
      }),
    );
    await settles(async () => String(await repairs()), new RegExp(`^${before + 3}$`));
    assert.equal(proxy.logged('capture rules were put in order').length, before + 3);
    const refused = await unknown;
    assert.ok(refused instanceof NodeRefused);
    assert.equal(refused.code, 'NM_UNKNOWN_WORKLOAD');
    assert.deepEqual(await chains(stranger), []);
  });

  test('commands enrol, let go and show, and refuse what can not be', async () => {
    const proxy = rig.proxy(1);
    const e = await rig.pod('e', 1, { namespace: 'other', announced: false });
    const enrolled = await proxy.command('enroll', '--netns', e.ns.path, '--workload', 'other/e');
    assert.deepEqual([enrolled.code, JSON.parse(enrolled.out)], [0, { enrolled: true, because: 'command' }]);
    assert.match(await freshAnswer(e, c.ip), /^c /);
    const status = await proxy.command('status');
    assert.equal(status.code, 0);
    const shown = JSON.parse(status.out) as {
      ready: boolean;
      pods: { workload: string; identity?: string }[];
    };
    assert.equal(shown.ready, true);
    assert.equal(
      shown.pods.find(({ workload }) => workload === 'other/e')?.identity,
      'spiffe://mesh.test/ns/other/sa/e',
    );
    const gone = await proxy.command('unenroll', '--netns', e.ns.path);
    assert.deepEqual([gone.code, JSON.parse(gone.out)], [0, { enrolled: false, because: 'command' }]);
    assert.deepEqual(await chains(e), []);
    const { code, out, err } = await proxy.command('unenroll', '--netns', '/run/netns/nowhere');
    assert.deepEqual([code, out], [1, '']);
    assert.equal(err, 'no pod /run/netns/nowhere is known here\n`node-proxy status` lists the pods.\n');
    const refusals: [object, string, RegExp][] = [
      [{ netns: e.ns.path, workload: 'other' }, 'NM_BAD_REQUEST', /'other' is not <namespace>\/<name>/],
      [{ netns: '/run/netns/nowhere', workload: 'other/e' }, 'NM_KERNEL', /nowhere.*ENOENT/],
      [{ netns: proxy.configFile, workload: 'other/e' }, 'NM_KERNEL', /setns.*EINVAL/],
      [{ netns: a.ns.path }, 'NM_BAD_REQUEST', /workload must be a text/],
      [{ netns: a.ns.path, workload: 'other/e' }, 'NM_POD_IS_ANOTHER', /as shop\/a, not as other\/e/],
    ];
    for (const [body, errorCode, said] of refusals) {
      const refused = await proxy.local.ask('POST', '/v1/enroll', body).catch((error: unknown) => error);
      assert.ok(refused instanceof NodeRefused);
      assert.deepEqual([refused.code, body], [errorCode, body]);
      assert.match(refused.message, said);
    }
    assert.deepEqual(await chains(e), []);
  });

  test('the metrics have what was promised, and Prometheus can read them', async t => {
    for (const to of [c.ip, '10.96.0.1']) {
      const socket = await a.ns.connect(to, to === c.ip ? APP_PORT : 80);
      await ask(socket, 'counted');
      socket.destroy();
    }
    await freshAnswer(a, c.ip, 1);
    const { admin } = rig.proxy(1);
    const edge = {
      reporter: 'source',
      source_workload: 'shop/a',
      source_identity: 'spiffe://mesh.test/ns/shop/sa/a',
      destination_workload: 'shop/c',
      destination_identity: 'spiffe://mesh.test/ns/shop/sa/c',
      security: 'mutual_tls',
    };
    await settles(
      async () => String(total(await admin.metrics(), 'refusals_total', { reason: 'connect_failed' }) > 0),
      /true/,
    );
    const samples = await admin.metrics();
    assert.ok(total(samples, 'connections_opened_total', { ...edge, destination_service: 'shop/c' }) >= 1);
    assert.ok(total(samples, 'connections_opened_total', { ...edge, destination_service: '' }) >= 1);
    assert.ok(total(samples, 'bytes_total', { ...edge, direction: 'sent' }) >= 14);
    assert.ok(total(samples, 'bytes_total', { ...edge, direction: 'received' }) >= 14);
    assert.ok(total(samples, 'connect_seconds_count', edge) >= 2);
    assert.ok(total(samples, 'tunnels', { direction: 'outbound' }) >= 1);
    const ends = total(samples, 'certificate_expiry_timestamp_seconds', { identity: edge.source_identity });
    assert.ok(Math.abs(ends - Date.now() / 1000 - 86_400) < 300, `certificate ends at ${ends}`);
    const there = new Set(samples.map(({ name }) => name));
    for (const name of ['binding_staleness_seconds', 'resident_bytes', 'worker_restarts_total', 'pods'])
      assert.ok(there.has(`nodemesh_${name}`), name);
    for (const name of ['event_loop_delay_seconds', 'heap_bytes']) {
      const threads = samples
        .filter(sample => sample.name === `nodemesh_${name}`)
        .map(({ labels }) => labels['thread']);
      assert.deepEqual([...new Set(threads)].sort(), ['main', 'tunnel-0', 'tunnel-1'], name);
    }
    await t.test('promtool', { skip: onPath('promtool') ? false : 'promtool is not installed' }, async () => {
      const { body } = await admin.ask('/metrics');
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body });
      assert.equal(`${stdout}${stderr}`, '');
      assert.equal(status, 0);
    });
  });

  test('a pod whose label changed its mind is where the label says in the end', async () => {
    await settles(() => stateOf(1, 'other/d'), /^inside$/);
  });
});
