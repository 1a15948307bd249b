/** Reports of what a node has enrolled. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { MeshApiError } from '#api';
import { connected, down, meshRig, nodeState, type Rig } from '../lib/mesh-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await meshRig();
});
afterEach(() => rig.close());

test('a report resolves when it has reached every binding, and counts only for workloads of the node', async () => {
  rig.source.node('node-1').set(nodeState('node-1', ['shop/cart-1', 'shop/web-1']));
  const client = await rig.client();
  await client.report(['shop/web-1', 'shop/of-another-node', 'shop/cart-1', 'shop/cart-1']);
  assert.deepEqual(rig.source.reports, [{ node: 'node-1', workloads: ['shop/cart-1', 'shop/web-1'] }]);
});

test('a workload that the registry learns of later counts from then on, one that moves away no more', async () => {
  rig.source.node('node-1').set(nodeState('node-1', []));
  const client = await rig.client();
  await client.report(['shop/late-1']);
  rig.source.node('node-1').set(nodeState('node-1', ['shop/late-1']));
  await client.report(['shop/late-1']);
  rig.source.node('node-1').set(nodeState('node-1', ['shop/other-1']));
  await client.report(['shop/late-1']);
  assert.deepEqual(
    rig.source.reports.map(({ workloads }) => workloads),
    [[], ['shop/late-1'], []],
  );
});

test('a report waits for the node to be known, and for the source to be done', async () => {
  const gate = Promise.withResolvers<void>();
  rig.source.reportGate = gate.promise;
  const client = await rig.client();
  await connected(client);
  let done = false;
  const reported = client.report(['shop/cart-1']).then(() => {
    done = true;
  });
  while (rig.source.node('node-1').observers === 0) await new Promise(resolve => setImmediate(resolve));
  rig.source.node('node-1').set(nodeState('node-1', ['shop/cart-1']));
  // A newer report overtakes; both are answered.
  const newer = client.report(['shop/cart-1']);
  assert.equal(done, false);
  gate.resolve();
  await Promise.all([reported, newer]);
  assert.deepEqual(rig.source.reports, [{ node: 'node-1', workloads: ['shop/cart-1'] }]);
});

test('a report is repeated to a namerd that comes back, and survives being made without one', async () => {
  rig.source.node('node-1').set(nodeState('node-1', ['shop/a-1', 'shop/b-1']));
  const client = await rig.client();
  await client.report(['shop/a-1']);
  let late: Promise<void> | undefined;
  await rig.restart(async () => {
    await down(client);
    late = client.report(['shop/a-1', 'shop/b-1']);
  });
  await late;
  assert.deepEqual(rig.source.reports.at(-1)?.workloads, ['shop/a-1', 'shop/b-1']);
  const before = rig.source.reports.length;
  await rig.restart(() => down(client) as Promise<never>);
  await connected(client);
  while (rig.source.reports.length === before) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(rig.source.reports.at(-1)?.workloads, ['shop/a-1', 'shop/b-1']);
});

test('a report that can not be kept says so, and the next one is tried', async () => {
  rig.source.node('node-1').set(nodeState('node-1', ['shop/a-1']));
  const full = Promise.withResolvers<void>();
  rig.source.reportGate = full.promise;
  const client = await rig.client();
  full.promise.catch(() => {});
  full.reject(new Error('disk full'));
  await assert.rejects(
    client.report(['shop/a-1']),
    (error: unknown) =>
      error instanceof MeshApiError && error.code === 'NM_MESH_REPORT' && /disk full/.test(error.message),
  );
  rig.source.reportGate = Promise.resolve();
  await client.report(['shop/a-1']);
  assert.equal(rig.source.reports.length, 1);
});
