/** What happens to connections that are between accept and relay when something changes. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask, echo, ended, eventually, type RigPod, TunnelRig, tryAsk } from './rig.ts';

const SLOW_PORT = 90;
const NOBODY = { id: 'shop/nobody', action: 'ALLOW' as const, rules: [] };

describe('connections under way', { skip: netnsUnavailable() }, () => {
  let rig: TunnelRig;
  const accepted: Socket[] = [];

  /** Packets to the slow port are dropped until `release`: a connect that hangs, then succeeds. */
  async function hold(pod: RigPod): Promise<() => Promise<void>> {
    const rule = [
      'INPUT',
      '-p',
      'tcp',
      '--dport',
      String(SLOW_PORT),
      '--syn',
      '-m',
      'mark',
      '--mark',
      '0x539',
      '-j',
      'DROP',
    ];
    await pod.ns.run('iptables', '-I', ...rule);
    return async () => void (await pod.ns.run('iptables', '-D', ...rule));
  }

  before(async () => {
    rig = await TunnelRig.open();
    for (const pod of [rig.a, rig.b, rig.c]) await pod.ns.listen('0.0.0.0', 80, echo(pod.name));
    await rig.c.ns.listen('0.0.0.0', SLOW_PORT, socket => {
      accepted.push(socket);
      echo('c')(socket);
    });
    for (const pod of [rig.b, rig.c]) rig.knowWorkload(pod, 80);
    rig.knowWorkload(rig.c, SLOW_PORT);
  });
  beforeEach(() => rig.setRules(rig.c, []));
  after(() => rig?.close());

  for (const [way, from] of [
    ['through a tunnel', () => rig.a],
    ['within the node', () => rig.b],
    ['in plaintext', () => rig.x],
  ] as const) {
    it(`${way} are judged again when the policy changes while the application is being connected`, async () => {
      const release = await hold(rig.c);
      const socket = await from().ns.connect(rig.c.ip, SLOW_PORT);
      const open = () => rig.n2.worker.openConnections;
      await eventually(() => assert.ok(open() > 0));
      rig.setRules(rig.c, [NOBODY]);
      await release();
      await ended(socket);
      assert.equal(
        accepted.some(other => !other.destroyed && other.bytesRead > 0),
        false,
      );
    });
  }

  it('a stale binding never joins a pod of another identity on the same node', async () => {
    rig.knowService(
      '10.96.2.1:80',
      rig.replica(rig.c, 80, { identity: 'spiffe://mesh.test/ns/shop/sa/payments' }),
    );
    assert.equal(await tryAsk(rig.b, '10.96.2.1', 80), 'refused');
    assert.ok(rig.n2.refusals['wrong_identity']);
  });

  it('a burst of 1,000 to one peer is served whole', async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => rig.a.ns.connect(rig.b.ip, 80)));
    const answers = await Promise.all(sockets.map(socket => ask(socket, 'x').catch(() => 'refused')));
    for (const socket of sockets) socket.destroy();
    assert.equal(answers.filter(answer => answer.startsWith('b ')).length, 1000);
  });

  it('applications that stop reading do not hold up others in the same tunnel', async () => {
    const stalled: Socket[] = [];
    await rig.b.ns.listen('0.0.0.0', 91, socket => void stalled.push(socket.pause()));
    rig.knowWorkload(rig.b, 91);
    const bystander = await rig.a.ns.connect(rig.b.ip, 80);
    await ask(bystander, 'before');
    const block = Buffer.alloc(1024 * 1024);
    const writers = await Promise.all(Array.from({ length: 40 }, () => rig.a.ns.connect(rig.b.ip, 91)));
    for (const writer of writers) for (let i = 0; i < 8; i++) writer.write(block);
    await eventually(() => assert.equal(stalled.length, 40));
    assert.match(await ask(bystander, 'during'), /during$/);
    const fresh = await rig.a.ns.connect(rig.b.ip, 80);
    assert.match(await ask(fresh, 'new'), /new$/);
    for (const socket of [...writers, bystander, fresh]) socket.destroy();
  });

  it('a renewed certificate ends no open connection, and serves the next ones', async () => {
    const socket = await rig.a.ns.connect(rig.b.ip, 80);
    await ask(socket, 'before');
    await rig.certify(rig.a);
    await rig.certify(rig.b);
    assert.match(await ask(socket, 'after'), /after$/);
    assert.match(await tryAsk(rig.a, rig.b.ip, 80), /^b /);
    socket.destroy();
  });

  it('a drained node sends a long answer to its end', async () => {
    const size = 8 * 1024 * 1024;
    await rig.b.ns.listen('0.0.0.0', 92, socket => {
      socket.on('end', () => socket.end(Buffer.alloc(size, 'y')));
      socket.resume();
    });
    rig.knowWorkload(rig.b, 92);
    const socket = await rig.a.ns.connect(rig.b.ip, 92);
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.end('go');
    await once(socket, 'data');
    rig.n2.worker.handle({ type: 'drain' });
    await once(socket, 'close');
    assert.equal(received, size);
  });
});
