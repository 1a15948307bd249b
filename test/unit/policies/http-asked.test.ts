/** Which workloads' nodes are told to understand HTTP, and who hears of it. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { NodeState } from '#api';
import { NodeStates } from '../../../namerd/policies/index.ts';
import { routingWorld, serviceYaml, trafficYaml, workloadYaml } from '../../lib/naming/routing-world.ts';

const policy = (name: string, app: string, to: string) => `---
apiVersion: nodemesh.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: n}
spec: {selector: {matchLabels: {app: ${app}}}, action: AUDIT, rules: [{to: [${to}]}]}
`;

async function setUp(t: TestContext) {
  const onNode2 = workloadYaml('n/b-1', 'b').replace('node-1', 'node-2');
  const world = await routingWorld(
    t,
    workloadYaml('n/a-1', 'a') + onNode2 + serviceYaml('n/a', '{name: http, port: 80, targetPort: web}'),
  );
  const { registry, storage, routing } = world;
  const states = new NodeStates(registry, storage.policies.documents, 'nodemesh-system', routing);
  const seen: Record<'node-1' | 'node-2', NodeState[]> = { 'node-1': [], 'node-2': [] };
  for (const node of ['node-1', 'node-2'] as const)
    t.after(states.watch(node).observe(state => seen[node].push(state)));
  const http = () => seen['node-1'].at(-1)?.workloads[0]?.http;
  const counts = () => [seen['node-1'].length, seen['node-2'].length];
  return { ...world, http, counts, states };
}

test('by a policy with a condition on requests, together with that policy', async t => {
  const { apply, http, counts, storage } = await setUp(t);
  assert.equal(http(), undefined);
  await apply(policy('p', 'a', '{ports: [8081]}'));
  assert.equal(http(), undefined);
  for (const condition of [
    'methods: [GET]',
    'notMethods: [GET]',
    'paths: [/x]',
    'notPaths: [/x]',
    'hosts: [x]',
    'notHosts: [x]',
    'headers: [{name: x}]',
  ]) {
    await apply(policy('p', 'a', `{ports: [8081]}, {${condition}}`));
    assert.deepEqual(
      http(),
      { ports: { 8081: 'http' }, forwardClientIdentity: false, concurrentRequests: 0 },
      condition,
    );
    await storage.policies.delete('n/p');
    assert.equal(http(), undefined);
  }
  assert.equal(counts()[1], 1);
});

test('by settings for servers and annotations; nodes without such workloads hear nothing', async t => {
  const { apply, http, counts } = await setUp(t);
  await apply(trafficYaml('n/a', 'name: a', 'timeouts: {total: 1s}'));
  assert.deepEqual(counts(), [1, 1]);
  await apply(trafficYaml('n/a', 'name: a', 'server: {forwardClientIdentity: true}'));
  assert.deepEqual(http(), { ports: { 8081: 'http' }, forwardClientIdentity: true, concurrentRequests: 0 });
  assert.deepEqual(counts(), [2, 1]);
  // The ports of those that understand HTTP are watched.
  await apply(serviceYaml('n/a', '{name: web, port: 80, targetPort: web}'));
  assert.deepEqual(http()?.ports, {});
  await apply(workloadYaml('n/a-1', 'a', ', annotations: {nodemesh.io/l7: enabled}'));
  await apply(trafficYaml('n/a', 'name: a'));
  assert.deepEqual(http(), { ports: {}, forwardClientIdentity: false, concurrentRequests: 0 });
  assert.equal(counts()[1], 1);
});

test('nodes of which nothing is asked are not woken by services', async t => {
  const { apply, routing, counts, states } = await setUp(t);
  let computed = 0;
  t.after(routing.namespace('n').ports.observe(() => (computed += 1)));
  await apply(serviceYaml('n/c', '{port: 80}'));
  assert.equal(computed, 2);
  assert.deepEqual(counts(), [1, 1]);
  assert.equal(states.watch('node-1').current.workloads[0]?.http, undefined);
});
