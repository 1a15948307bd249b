import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Policy } from '#api';
import { netnsUnavailable } from '../../lib/netns.ts';
import { ask, echo, ended, eventually, PERMISSIVE, TunnelRig, tryAsk } from './rig.ts';

const only = (...identities: string[]): Policy => ({
  id: 'shop/only',
  action: 'ALLOW',
  rules: [{ from: [{ identities }], to: [] }],
});

describe('policy on every way in', { skip: netnsUnavailable() }, () => {
  let rig: TunnelRig;
  before(async () => {
    rig = await TunnelRig.open();
    for (const pod of [rig.a, rig.b, rig.c]) {
      await pod.ns.listen('0.0.0.0', 80, echo(pod.name));
      rig.knowWorkload(pod, 80);
    }
    rig.knowService('10.96.0.1:80', rig.replica(rig.c, 80));
  });
  beforeEach(() => rig.setRules(rig.c, []));
  after(() => rig?.close());

  it('refuses whom no ALLOW rule names: by pod IP and by name, from another node, this node and outside', async () => {
    rig.setRules(rig.c, [only('spiffe://mesh.test/ns/shop/sa/nobody')]);
    assert.equal(await tryAsk(rig.a, rig.c.ip, 80), 'refused');
    assert.equal(await tryAsk(rig.a, '10.96.0.1', 80), 'refused');
    assert.equal(await tryAsk(rig.b, rig.c.ip, 80), 'refused');
    assert.equal(await tryAsk(rig.b, '10.96.0.1', 80), 'refused');
    assert.equal(await tryAsk(rig.x, rig.c.ip, 80), 'refused');
  });

  it('admits exactly the named identity on the same ways', async () => {
    rig.setRules(rig.c, [only(rig.a.identity)]);
    assert.match(await tryAsk(rig.a, rig.c.ip, 80), /^c /);
    assert.match(await tryAsk(rig.a, '10.96.0.1', 80), /^c /);
    assert.equal(await tryAsk(rig.b, rig.c.ip, 80), 'refused');
    assert.equal(await tryAsk(rig.x, rig.c.ip, 80), 'refused');
  });

  it('names the deciding rule in the access log', async () => {
    rig.setRules(rig.c, [
      { ...only(), id: 'shop/no-x', action: 'DENY', rules: [{ from: [{ ipBlocks: [rig.a.ip] }], to: [] }] },
    ]);
    assert.equal(await tryAsk(rig.a, rig.c.ip, 80), 'refused');
    const entry = rig.n2.log.findLast(({ reason }) => reason === 'policy');
    assert.equal(entry?.rule, 'shop/no-x[0]');
    assert.equal(entry?.source.identity, rig.a.identity);
  });

  it('does not ask another replica after a refusal', async () => {
    rig.setRules(rig.c, [only()]);
    rig.knowService(
      '10.96.0.9:80',
      rig.replica(rig.c, 80),
      rig.replica(rig.c, 80, { address: `${rig.c.ip}:81` }),
    );
    assert.equal(await tryAsk(rig.a, '10.96.0.9', 80), 'refused');
    assert.equal(rig.n1.log.findLast(({ reason }) => reason === 'policy')?.attempts, 1);
  });

  it('ends open connections that a new policy no longer allows, and only those', async () => {
    const tunnelled = await rig.a.ns.connect(rig.c.ip, 80);
    const sameNode = await rig.b.ns.connect(rig.c.ip, 80);
    await ask(tunnelled, 'x');
    await ask(sameNode, 'x');
    rig.setRules(rig.c, [only(rig.b.identity)]);
    await ended(tunnelled);
    assert.match(await ask(sameNode, 'still here'), /still here$/);
    await eventually(() => assert.ok(rig.n2.refusals['policy_changed']));
    sameNode.destroy();
  });

  it('refuses plaintext when strict, per port if so said, and lets the mesh in', async () => {
    rig.setRules(rig.c, [], { mode: 'strict', ports: {} });
    assert.equal(await tryAsk(rig.x, rig.c.ip, 80), 'refused');
    assert.match(await tryAsk(rig.a, rig.c.ip, 80), /^c /);
    assert.match(await tryAsk(rig.b, rig.c.ip, 80), /^c /);
    assert.ok(rig.n2.refusals['plaintext_refused']);
    rig.setRules(rig.c, [], { mode: 'strict', ports: { '80': 'permissive' } });
    assert.match(await tryAsk(rig.x, rig.c.ip, 80), /^c /);
  });

  it('ends open plaintext connections when the mode becomes strict', async () => {
    const socket = await rig.x.ns.connect(rig.c.ip, 80);
    await ask(socket, 'x');
    rig.setRules(rig.c, [], { mode: 'strict', ports: {} });
    await ended(socket);
  });

  it('keeps the last good policies when new ones are unreadable', async () => {
    rig.setRules(rig.c, [only(rig.a.identity)]);
    rig.setRules(
      rig.c,
      [{ id: 'shop/bad', action: 'DENY', rules: [{ from: [{ ipBlocks: ['10.0.0/8'] }], to: [] }] }],
      PERMISSIVE,
    );
    assert.match(await tryAsk(rig.a, rig.c.ip, 80), /^c /);
    assert.equal(await tryAsk(rig.b, rig.c.ip, 80), 'refused');
    assert.ok(rig.n2.sent.some(({ type }) => type === 'problem'));
  });
});
