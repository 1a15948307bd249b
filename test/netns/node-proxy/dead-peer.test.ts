/** The host of a replica falls silent: tunnels notice, connections of it end, new ones go to another replica. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '#base/clock.ts';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask, echo, ended, type RigPod, TunnelRig, tryAsk } from '../tunnel/rig.ts';

const skip = netnsUnavailable();
const PORT = 8080;
const VIP = '10.96.0.9';
const CONNECT_TIMEOUT_MS = 500;
/** Waits of ten seconds and more (ping every 10 s, answer within 20 s) pass so many times faster. */
const HURRY = 20;
const NOTICED_WITHIN_MS = 30_000 / HURRY;
/** For a machine that is busy with other things. */
const SLACK_MS = 1_500;

const hurried: Clock = {
  ...systemClock,
  after: (ms, act) => systemClock.after(ms < 10_000 ? ms : ms / HURRY, act),
  every: (ms, act) => systemClock.every(ms < 10_000 ? ms : ms / HURRY, act),
};

describe('a dead peer', { skip }, () => {
  let rig: TunnelRig;
  let a: RigPod;
  let c: RigPod;
  const callers = new Set<Socket>();

  before(async () => {
    rig = await TunnelRig.open({ connectTimeoutMs: CONNECT_TIMEOUT_MS, handshakeTimeoutMs: 9_000 }, hurried);
    ({ a, c } = rig);
    await rig.b.ns.listen('0.0.0.0', PORT, echo('b'));
    await c.ns.listen('0.0.0.0', PORT, socket => {
      callers.add(socket);
      socket.once('close', () => callers.delete(socket));
      echo('c')(socket);
    });
    rig.knowService(`${VIP}:80`, rig.replica(rig.b, PORT), rig.replica(c, PORT));
    rig.knowWorkload(c, PORT);
  });

  after(() => rig?.close());

  const cable = (what: 'cut' | 'mend') =>
    Promise.all(
      [
        ['INPUT', '-i'],
        ['OUTPUT', '-o'],
      ].map(([chain = '', way = '']) =>
        c.ns.run('iptables', what === 'cut' ? '-I' : '-D', chain, way, 'eth0', '-j', 'DROP'),
      ),
    );

  test('is noticed by unanswered pings while new connections go elsewhere', async t => {
    const open = await a.ns.connect(c.ip, PORT);
    assert.match(await ask(open, 'before'), /^c /);
    const names = new Set<string>();
    while (names.size < 2) names.add((await tryAsk(a, VIP, 80)).slice(0, 1));
    assert.equal(callers.size > 0, true);
    await cable('cut');
    const cut = performance.now();
    let noticedMs = 0;
    void ended(open).then(() => {
      noticedMs = performance.now() - cut;
    });
    let slowestMs = 0;
    let count = 0;
    while (noticedMs === 0 && performance.now() - cut < NOTICED_WITHIN_MS + SLACK_MS) {
      const start = performance.now();
      assert.match(await tryAsk(a, VIP, 80), /^b /);
      slowestMs = Math.max(slowestMs, performance.now() - start);
      count += 1;
      await sleep(5);
    }
    t.diagnostic(
      `noticed after ${(noticedMs * HURRY) / 1000} s of its time; ${count} new connections meanwhile, the slowest took ${slowestMs.toFixed(0)} ms`,
    );
    assert.ok(noticedMs > 0 && noticedMs < NOTICED_WITHIN_MS + SLACK_MS, `${noticedMs} ms`);
    assert.ok(slowestMs < CONNECT_TIMEOUT_MS + SLACK_MS, `${slowestMs} ms`);
    // The other end notices by its own pings: the application there is not left with a dead connection.
    const deadline = performance.now() + NOTICED_WITHIN_MS + SLACK_MS;
    while (callers.size > 0 && performance.now() < deadline) await sleep(5);
    assert.equal(callers.size, 0);
  });

  test('is used again when it is back', async () => {
    await cable('mend');
    const deadline = performance.now() + 15_000;
    while (!(await tryAsk(a, c.ip, PORT)).startsWith('c '))
      assert.ok(performance.now() < deadline, 'never came back');
    while (!(await tryAsk(a, VIP, 80)).startsWith('c '))
      assert.ok(performance.now() < deadline, 'never chosen again');
  });
});
