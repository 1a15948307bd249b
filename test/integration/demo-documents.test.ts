/** What the demo writes is what the mesh reads: configuration, registry files and policies, without a mesh running. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeGround } from '../../deploy/demo/ground/wire.ts';
import { DIVISION_V2, SERVICES, server, TROUBLE, WORKLOADS } from '../../deploy/demo/inventory.ts';
import { Namerd } from '../../deploy/demo/mesh/namerd.ts';
import { NodeProxy } from '../../deploy/demo/mesh/node-proxy.ts';
import { RegistryFiles } from '../../deploy/demo/mesh/registry-files.ts';
import { splitDtab } from '../../deploy/demo/scenarios/l4/4-split.ts';
import { BY_USER, canary } from '../../deploy/demo/scenarios/l7/10-canary.ts';
import { ROUTES } from '../../deploy/demo/scenarios/l7/11-routes.ts';
import { POLICIES } from '../../deploy/demo/scenarios/l7/12-retries.ts';
import { breaker } from '../../deploy/demo/scenarios/l7/13-breaker.ts';
import { BY_ROUTE, BY_TURNS, PER_TRY, RETRIED, TOTAL } from '../../deploy/demo/scenarios/l7/14-timeouts.ts';
import { DOCUMENTS } from '../../deploy/demo/scenarios/l7/15-authorization.ts';
import { EVENLY, METHODS, NO_DIVISIONS } from '../../deploy/demo/scenarios/l7/16-grpc.ts';
import { BY_PATH } from '../../deploy/demo/scenarios/l7/17-websocket.ts';
import { OVERRIDE } from '../../deploy/demo/scenarios/l7/18-override.ts';
import { UNLIMITED } from '../../deploy/demo/scenarios/l7/19-isolation.ts';
import { SHOWN_POLICIES } from '../../deploy/demo/show/policies.ts';
import { readConfig } from '../../namerd/config.ts';
import { parseDtab } from '../../namerd/names/index.ts';
import { DirectorySource } from '../../namerd/registry/index.ts';
import { readResources } from '../../namerd/resources/index.ts';
import { readConfig as readProxyConfig } from '../../node-proxy/config.ts';

function folder(t: { after(close: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'nodemesh-demo-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("namerd reads the demo's registry files without a complaint", async t => {
  const registry = new RegistryFiles(folder(t), SERVICES);
  for (const workload of WORKLOADS)
    registry.set(workload, { ip: '10.244.1.9', ready: true, terminating: false });
  registry.set(DIVISION_V2, { ready: false, terminating: false });
  const source = await DirectorySource.open({ dir: registry.folder });
  t.after(() => source.close());
  assert.deepEqual(source.status.current, []);
  const { services, workloads } = source.snapshot.current;
  assert.equal(services.length, SERVICES.length);
  assert.equal(workloads.length, WORKLOADS.length + 1);
});

test('virtual addresses lead to the ready replicas only', t => {
  const registry = new RegistryFiles(folder(t), SERVICES);
  const ready = { ready: true, terminating: false };
  registry.set(server('addition', 1), { ip: '10.244.1.2', ...ready });
  registry.set(server('addition', 2, 'v1', 2), { ip: '10.244.2.2', ...ready, terminating: true });
  registry.set(DIVISION_V2, { ip: '10.244.1.3', ...ready });
  const replicas = Object.fromEntries(registry.virtualPorts().map(port => [port.vip, port.replicas]));
  assert.deepEqual(replicas['10.96.0.1'], ['10.244.1.2:80']);
  assert.deepEqual(replicas['10.96.0.2'], [], 'division is version 1 only');
  assert.deepEqual(replicas['10.96.0.6'], ['10.244.1.3:80']);
});

test("namerd reads the demo's configuration", t => {
  const dir = folder(t);
  const registry = new RegistryFiles(join(dir, 'registry'), SERVICES);
  new Namerd({ folder: dir, registry: registry.folder, nodes: ['node-1', 'node-2'] });
  const file = join(dir, 'namerd.yaml');
  assert.equal(readConfig(readFileSync(file, 'utf8'), file).interfaces.length, 2);
});

test('every share of the second version is a dtab', () => {
  for (const percent of [1, 50, 100]) assert.equal(parseDtab(splitDtab(percent)).dentries.length, 1);
});

const HTTP_DOCUMENTS = [
  ...[1, 10, 50].map(percent => canary(percent, `${percent} %`)),
  ...[BY_USER, ROUTES, breaker(50), breaker(100), TOTAL, PER_TRY, RETRIED, BY_TURNS, BY_ROUTE],
  ...[...DOCUMENTS, EVENLY, METHODS, NO_DIVISIONS, BY_PATH, OVERRIDE, UNLIMITED, ...SHOWN_POLICIES],
  ...Object.values(POLICIES).flat(),
];

test('every route and policy of the HTTP scenarios is what namerd takes, and means a service that there is', () => {
  for (const document of HTTP_DOCUMENTS) {
    const { resources, problems } = readResources(JSON.stringify(document), document.metadata.name);
    assert.deepEqual(problems, []);
    assert.equal(resources.length, 1);
    if (document.kind === 'AuthorizationPolicy') continue;
    const { namespace, name } = document.metadata;
    const known = SERVICES.some(service => service.namespace === namespace && service.name === name);
    assert.ok(known, `${document.kind} ${namespace}/${name}`);
  }
});

test("a node proxy reads the demo's configuration", t => {
  const dir = folder(t);
  const registry = new RegistryFiles(join(dir, 'registry'), SERVICES);
  const namerd = new Namerd({ folder: dir, registry: registry.folder, nodes: ['node-1'] });
  const ground = { name: 'node-1', index: 1, ip: '10.99.0.11' } as NodeGround;
  new NodeProxy(join(dir, 'node-1'), ground, namerd);
  const { isolatedNamespaces } = readProxyConfig(join(dir, 'node-1', 'node-proxy.yaml'));
  assert.deepEqual(isolatedNamespaces, [TROUBLE]);
});
