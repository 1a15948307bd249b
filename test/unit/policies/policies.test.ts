import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import type { NodeState } from '#api';
import { NodeStates, PolicyIndex, policyStatus } from '../../../namerd/policies/index.ts';
import { Registry, storageSource } from '../../../namerd/registry/index.ts';
import { type PolicyResource, type Resource, readResources } from '../../../namerd/resources/index.ts';
import { memoryStorage, type Storage, storeOf } from '../../../namerd/store/index.ts';

function document(kind: string, name: string, namespace: string, spec: unknown, labels = {}): Resource {
  const text = stringify({
    apiVersion: 'nodemesh.io/v1alpha1',
    kind,
    metadata: { name, namespace, labels },
    spec,
  });
  const { resources, problems } = readResources(text, 'f');
  assert.deepEqual(problems, []);
  return resources[0] as Resource;
}

function policy(name: string, namespace: string, spec: unknown): PolicyResource {
  return document('AuthorizationPolicy', name, namespace, spec) as PolicyResource;
}

const workload = (name: string, namespace: string, node: string, app = name) =>
  document('Workload', name, namespace, { node, addresses: [] }, { app });

const index = (...policies: PolicyResource[]) => new PolicyIndex(policies, 'nodemesh-system');
const web = { namespace: 'shop', labels: { app: 'web', tier: 'front' } };

test('policies hold by mesh, namespace and labels, DENY before ALLOW before AUDIT', () => {
  const all = index(
    policy('allow-mesh', 'nodemesh-system', { action: 'ALLOW' }),
    policy('not-mesh', 'nodemesh-system', { action: 'DENY', selector: { matchLabels: { app: 'web' } } }),
    policy('allow-other', 'other', { action: 'ALLOW' }),
    policy('audit', 'shop', { action: 'AUDIT' }),
    policy('b-deny', 'shop', { action: 'DENY' }),
    policy('both', 'shop', { action: 'ALLOW', selector: { matchLabels: { app: 'web', tier: 'front' } } }),
    policy('no', 'shop', { action: 'ALLOW', selector: { matchLabels: { app: 'web', tier: 'back' } } }),
    policy('transport', 'shop', { transport: { mode: 'strict' } }),
  );
  assert.deepEqual(
    all.applied(web).policies.map(({ id }) => id),
    ['shop/b-deny', 'nodemesh-system/allow-mesh', 'shop/both', 'shop/audit'],
  );
  assert.deepEqual(
    all.applied({ namespace: 'x', labels: {} }).policies.map(({ id }) => id),
    ['nodemesh-system/allow-mesh'],
  );
});

test('the narrowest transport decides, the strictest of one scope', () => {
  const mesh = policy('m', 'nodemesh-system', { transport: { mode: 'strict' } });
  const ns = policy('n', 'shop', { transport: { mode: 'permissive', ports: { 1: 'strict' } } });
  const selector = { matchLabels: { app: 'web' } };
  const own = policy('w', 'shop', { selector, transport: { mode: 'permissive', ports: { 80: 'strict' } } });
  const rival = policy('x', 'shop', {
    selector,
    transport: { mode: 'strict', ports: { 90: 'permissive', 80: 'permissive' } },
  });
  assert.deepEqual(index().applied(web).transport, { mode: 'permissive', ports: {} });
  assert.deepEqual(index(mesh).applied(web).transport, { mode: 'strict', ports: {} });
  assert.deepEqual(index(mesh, ns).applied(web).transport, { mode: 'permissive', ports: { 1: 'strict' } });
  assert.deepEqual(index(mesh, ns, own).applied(web).transport, {
    mode: 'permissive',
    ports: { 80: 'strict' },
  });
  assert.deepEqual(index(own, rival).applied(web).transport, {
    mode: 'strict',
    ports: { 80: 'strict', 90: 'permissive' },
  });
});

async function put(storage: Storage, resource: Resource): Promise<void> {
  const { namespace, name } = resource.metadata;
  await storeOf(storage, resource.kind).put(`${namespace}/${name}`, resource);
}

test('a node is told of its workloads and their policies, and only when something changed for it', async t => {
  const storage = memoryStorage();
  const registry = await Registry.open({ sources: [storageSource(storage)], trustDomain: 'td' });
  t.after(() => registry.close());
  await put(storage, workload('web', 'shop', 'n1'));
  await put(storage, workload('db', 'shop', 'n2'));
  const states = new NodeStates(registry, storage.policies.documents, 'nodemesh-system');
  const seen: Record<string, NodeState[]> = { n1: [], n2: [], n3: [] };
  for (const [node, list] of Object.entries(seen))
    t.after(states.watch(node).observe(state => list.push(state)));
  assert.deepEqual(seen['n3'], [{ node: 'n3', workloads: [], policies: [] }]);
  assert.equal(seen['n1']?.[0]?.workloads[0]?.identity, 'spiffe://td/ns/shop/sa/default');

  await put(
    storage,
    policy('p', 'shop', {
      selector: { matchLabels: { app: 'web' } },
      rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }],
      transport: { mode: 'strict' },
    }),
  );
  assert.equal(seen['n2']?.length, 1);
  assert.equal(seen['n1']?.length, 2);
  const state = seen['n1']?.[1];
  assert.deepEqual(state?.workloads[0]?.policies, ['shop/p']);
  assert.deepEqual(state?.workloads[0]?.transport, { mode: 'strict', ports: {} });
  assert.deepEqual(state?.policies, [
    { id: 'shop/p', action: 'ALLOW', rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }], to: [] }] },
  ]);

  await storage.policies.delete('shop/p');
  assert.deepEqual(seen['n1']?.[2], seen['n1']?.[0]);
});

test('policies that do nothing are pointed out', async t => {
  const storage = memoryStorage();
  const registry = await Registry.open({ sources: [storageSource(storage)], trustDomain: 'td' });
  t.after(() => registry.close());
  await put(storage, workload('web', 'shop', 'n1'));
  const selector = { matchLabels: { app: 'web' } };
  await put(storage, policy('fine', 'shop', { selector, action: 'ALLOW' }));
  await put(
    storage,
    policy('nobody', 'shop', {
      selector: { matchLabels: { app: 'wep' } },
      action: 'DENY',
      rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }],
    }),
  );
  await put(
    storage,
    policy('nowhere', 'shpo', { action: 'DENY', rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }] }),
  );
  await put(storage, policy('t1', 'shop', { selector, transport: { mode: 'strict' } }));
  await put(storage, policy('t2', 'shop', { selector, transport: { mode: 'permissive' } }));
  const status = policyStatus(storage.policies.documents.current, registry.workloads(), 'nodemesh-system');
  assert.deepEqual(
    status.map(({ key, state, messages }) => [key, state, ...messages]),
    [
      ['shop/fine', 'ok'],
      ['shop/nobody', 'warning', 'the selector matches no workload'],
      ['shop/t1', 'warning', 'shop/t2 sets the transport too: the stricter mode holds for each port'],
      ['shop/t2', 'warning', 'shop/t1 sets the transport too: the stricter mode holds for each port'],
      ['shpo/nowhere', 'warning', "no workload is in namespace 'shpo'"],
    ],
  );
});
