/** Watches between a real client and a real server. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { AddressState, NameState, NodeState, TrustState } from '#api';
import { boundTo, connected, down, Heard, meshRig, nodeState, type Rig } from '../lib/mesh-rig.ts';

const CART = '/svc/shop/cart/http';
let rig: Rig;
beforeEach(async () => {
  rig = await meshRig();
});
afterEach(() => rig.close());

test('a state comes at once, and again after every change', async () => {
  rig.source.name(CART).set(boundTo(80));
  const client = await rig.client();
  const heard = new Heard<NameState>();
  client.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
  assert.deepEqual(heard.last?.state, boundTo(80));
  rig.source.name(CART).set(boundTo(81));
  await heard.until(({ all }) => all.length === 2);
  assert.deepEqual(heard.last?.state, boundTo(81));
  assert.notEqual(heard.all[0]?.version, heard.all[1]?.version);
});

test('addresses, the own node and the trust bundle are watched the same way', async () => {
  rig.source.address('[2001:db8::1]:80').set({ target: 'foreign' });
  rig.source.node('node-1').set(nodeState('node-1', ['shop/cart-1']));
  const client = await rig.client();
  const address = new Heard<AddressState>();
  const node = new Heard<NodeState>();
  const trust = new Heard<TrustState>();
  client.watch('address', '[2001:db8::1]:80', address.on);
  client.watch('node', 'node-1', node.on);
  client.watch('trust', '', trust.on);
  await Promise.all([address, node, trust].map(heard => heard.until(({ all }) => all.length > 0)));
  assert.deepEqual(address.last?.state, { target: 'foreign' });
  assert.deepEqual(node.last?.state, nodeState('node-1', ['shop/cart-1']));
  assert.deepEqual(trust.last?.state, rig.authority.trust.current);
});

test('nothing comes while nothing is known; what is gone is told; what becomes unknown is kept', async () => {
  const client = await rig.client();
  const heard = new Heard<NameState>();
  const other = new Heard<NameState>();
  client.watch('name', CART, heard.on);
  rig.source.name('/svc/other').set(boundTo(1));
  client.watch('name', '/svc/other', other.on);
  await other.until(({ all }) => all.length === 1);
  assert.equal(heard.all.length, 0);
  rig.source.name(CART).set(boundTo(80));
  await heard.until(({ all }) => all.length === 1);
  rig.source.name(CART).set(undefined);
  rig.source.name('/svc/other').set(null);
  await other.until(({ all }) => all.length === 2);
  assert.equal(other.last?.state, undefined);
  assert.equal(heard.all.length, 1);
  rig.source.name(CART).set(null);
  await heard.until(({ all }) => all.length === 2);
  assert.equal(heard.last?.state, undefined);
  rig.source.name(CART).set(boundTo(80));
  await heard.until(({ all }) => all.length === 3);
  assert.equal(heard.last?.version, heard.all[0]?.version, 'equal states have equal versions');
});

test('listeners of one key share a watch; the last one to go ends it', async () => {
  rig.source.name(CART).set(boundTo(80));
  const client = await rig.client();
  const first = new Heard<NameState>();
  const second = new Heard<NameState>();
  const endFirst = client.watch('name', CART, first.on);
  await first.until(({ all }) => all.length === 1);
  const endSecond = client.watch('name', CART, second.on);
  assert.equal(second.all.length, 1, 'what is known comes at once');
  assert.equal(client.watches, 1);
  assert.equal(rig.server.stats().watches, 1);
  endFirst();
  endFirst();
  rig.source.name(CART).set(boundTo(81));
  await second.until(({ all }) => all.length === 2);
  assert.equal(first.all.length, 1);
  endSecond();
  const barrier = new Heard<NameState>();
  rig.source.name('/barrier').set(boundTo(1));
  client.watch('name', '/barrier', barrier.on);
  await barrier.until(({ all }) => all.length === 1);
  assert.equal(rig.server.stats().watches, 1);
  assert.equal(rig.source.name(CART).observers, 0);
});

test('many nodes that watch one key make one observer and one encoding', async () => {
  let encoded = 0;
  const state: NameState = Object.assign(boundTo(80), { toJSON: () => ({ ...boundTo(80 + ++encoded) }) });
  rig.source.name(CART).set(state);
  const all = await Promise.all(['node-1', 'node-2', 'node-1'].map(node => rig.client({ node })));
  const heard = all.map(client => {
    const one = new Heard<NameState>();
    client.watch('name', CART, one.on);
    return one;
  });
  await Promise.all(heard.map(one => one.until(({ all }) => all.length === 1)));
  assert.equal(rig.source.name(CART).observers, 1);
  assert.equal(encoded, 1);
  assert.deepEqual(rig.server.stats().nodes, ['node-1', 'node-2']);
  assert.equal(rig.server.stats().topics, 1);
});

test('changes within one turn arrive as one', async () => {
  rig.source.name(CART).set(boundTo(1));
  const client = await rig.client();
  const heard = new Heard<NameState>();
  client.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
  for (let port = 2; port <= 1000; port++) rig.source.name(CART).set(boundTo(port));
  await heard.until(({ last }) => JSON.stringify(last?.state) === JSON.stringify(boundTo(1000)));
  assert.equal(heard.all.length, 2);
});

test('after a restart of namerd only what changed is sent, and changes flow again', async () => {
  const names = Array.from({ length: 50 }, (_, i) => `/svc/shop/s${i}/http`);
  for (const name of names) rig.source.name(name).set(boundTo(80));
  const client = await rig.client();
  const heard = names.map(name => {
    const one = new Heard<NameState>();
    client.watch('name', name, one.on);
    return one;
  });
  await Promise.all(heard.map(one => one.until(({ all }) => all.length === 1)));
  await rig.restart(async () => {
    await down(client);
    rig.source.name(names[7] ?? '').set(boundTo(81));
  });
  await heard[7]?.until(({ all }) => all.length === 2);
  rig.source.name(names[8] ?? '').set(boundTo(82));
  await heard[8]?.until(({ all }) => all.length === 2);
  assert.equal(client.status.current.state, 'connected');
  for (const [i, { all }] of heard.entries()) assert.equal(all.length, i === 7 || i === 8 ? 2 : 1);
});

test('a state known from disk is resumed from', async () => {
  rig.source.name(CART).set(boundTo(80));
  const before = await rig.client();
  const heard = new Heard<NameState>();
  before.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
  const { state, version } = heard.last ?? assert.fail();
  before.close();
  const after = await rig.client();
  const again = new Heard<NameState>();
  after.watch('name', CART, again.on, { known: { version, state } });
  const other = new Heard<TrustState>();
  after.watch('trust', '', other.on);
  await other.until(({ all }) => all.length === 1);
  assert.equal(again.all.length, 0);
  rig.source.name(CART).set(boundTo(81));
  await again.until(({ all }) => all.length === 1);
});

test('watches that may not be are refused one by one, and the rest goes on', async () => {
  rig.source.name(CART).set(boundTo(80));
  const client = await rig.client();
  const refusals: string[] = [];
  const never = () => assert.fail('refused watches have no state');
  const onRefused = ({ code, message }: { code: string; message: string }) =>
    refusals.push(`${code} ${message}`);
  client.watch('node', 'node-2', never, { onRefused });
  client.watch('address', '10.0.0.1', never, { onRefused });
  client.watch('address', '2001:DB8::1:80', never, { onRefused });
  client.watch('name', 'svc', never, { onRefused });
  client.watch('trust', 'x', never, { onRefused });
  const heard = new Heard<NameState>();
  client.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
  assert.equal(refusals.length, 5);
  assert.ok(refusals.every(text => text.startsWith('NM_MESH_KEY ')));
  assert.match(refusals[0] ?? '', /node 'node-1' may not watch node 'node-2'/);
});

test('a state that is too long for a line is an error of its key only', async () => {
  const huge = { state: 'failed', message: 'x'.repeat(9 * 1024 * 1024) } as const;
  rig.source.name(CART).set(huge);
  const client = await rig.client();
  const refused = Promise.withResolvers<string>();
  client.watch('name', CART, () => assert.fail(), { onRefused: ({ code }) => refused.resolve(code) });
  assert.equal(await refused.promise, 'NM_MESH_STATE_SIZE');
  const heard = new Heard<NameState>();
  client.watch('name', '/small', heard.on);
  rig.source.name('/small').set(boundTo(1));
  await heard.until(({ all }) => all.length === 1);
});

test('a listener that throws costs nobody else anything', async () => {
  rig.source.name(CART).set(boundTo(80));
  const client = await rig.client();
  client.watch('name', CART, () => {
    throw new Error('listener');
  });
  const heard = new Heard<NameState>();
  client.watch('name', CART, heard.on);
  await heard.until(({ all }) => all.length === 1);
});

test('nothing is observed any more when all clients have gone', async () => {
  const client = await rig.client();
  const heard = new Heard<TrustState>();
  client.watch('trust', '', heard.on);
  client.watch('name', CART, () => {});
  await heard.until(({ all }) => all.length === 1);
  client.close();
  const other = await rig.client();
  await connected(other);
  while (rig.server.stats().streams > 1) await new Promise(resolve => setImmediate(resolve));
  assert.equal(rig.source.observers, 0);
  assert.equal(rig.server.stats().topics, 0);
});
