/** HTTP policy from the document that somebody applies to what a node proxy is told, through a whole namerd. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AddressState, MeshClient, type NameState, type NodeState } from '#api';
import { systemClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { Cell, firstWhere } from '#base/watch.ts';
import { createCsr, generateKey } from '#trust';
import { startNamerd } from '../../namerd/app.ts';
import { readConfig } from '../../namerd/config.ts';
import { KIND_FACTS, plainResource, readResources } from '../../namerd/resources/index.ts';
import { grantYaml, routeYaml, serviceYaml, trafficYaml, workloadYaml } from '../lib/naming/routing-world.ts';

const TOKEN = 'a token that is long enough';

async function start(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'nodemesh-routing-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'token'), TOKEN);
  const file = join(dir, 'namerd.yaml');
  writeFileSync(
    file,
    `
admin: {port: 0}
storage: {kind: io.nodemesh.file, dir: data}
interfaces:
- {kind: io.l5d.httpController, port: 0}
- {kind: io.nodemesh.mesh, port: 0, trustDomain: demo.mesh, ca: {dir: ca}, nodes: [{name: node-1, tokenFile: token}]}
`,
  );
  const config = readConfig(await readFile(file, 'utf8'), file);
  const namerd = await startNamerd({ config, log: createLog({ name: 'test', level: 'silent' }) });
  t.after(() => namerd.close());
  const control = `http://127.0.0.1:${namerd.ports.control}/api/1`;
  const roots = [await (await fetch(`${control}/ca/roots`)).text()];
  const where = {
    host: '127.0.0.1',
    port: namerd.ports.mesh ?? 0,
    trustDomain: 'demo.mesh',
    roots,
    clock: systemClock,
  };
  const newcomer = new MeshClient(where);
  const key = await generateKey();
  const { chain } = await newcomer.join({ node: 'node-1', token: TOKEN, csr: createCsr(key) });
  newcomer.close();
  const client = new MeshClient({ ...where, credentials: { chainPem: chain, keyPem: key.privateKeyPem } });
  t.after(() => client.close());
  /** @returns what namerd says about each document. */
  const apply = async (text: string): Promise<string[]> => {
    const said: string[] = [];
    for (const resource of readResources(text, 'test.yaml').resources) {
      const { namespace, name } = resource.metadata;
      const url = `${control}/resources/${KIND_FACTS[resource.kind].plural}/${namespace}/${name}`;
      const response = await fetch(url, { method: 'PUT', body: JSON.stringify(plainResource(resource)) });
      const body = await response.text();
      assert.ok(response.ok, body);
      for (const { messages } of (JSON.parse(body) as { status: { messages: string[] }[] }).status)
        said.push(...messages);
    }
    return said;
  };
  const get = async (path: string) => (await fetch(`${control}/${path}`)).text();
  const remove = async (path: string) =>
    assert.equal((await fetch(`${control}/resources/${path}`, { method: 'DELETE' })).status, 204);
  return { client, apply, get, remove };
}

function watched<T>() {
  const cell = new Cell<T | undefined>(undefined);
  const refused = new Cell('');
  return {
    on: (state: T | undefined) => cell.set(state),
    onRefused: ({ code }: { code: string }) => refused.set(code),
    refusal: () => firstWhere(refused, code => code !== '', AbortSignal.timeout(10_000)),
    seen: (wanted: (value: T) => boolean) =>
      firstWhere(cell, value => value !== undefined && wanted(value), AbortSignal.timeout(10_000)),
  };
}

const SERVICE = serviceYaml('calc/division', '{name: http, port: 80}').replace(
  '{ports',
  '{addresses: [10.96.0.1], ports',
);
const httpOf = (state: AddressState) => (state.target === 'service' ? state.http : undefined);
const backendOf = (state: AddressState) => httpOf(state)?.routes?.actions[0]?.backends[0];

test('routes, settings and conditions reach the node, with their changes, and are mended by what comes later', async t => {
  const { client, apply, get } = await start(t);
  await apply(SERVICE + workloadYaml('calc/division-1', 'division'));
  const [address, node] = [watched<AddressState>(), watched<NodeState>()];
  client.watch('address', '10.96.0.1:80', address.on);
  client.watch('node', 'node-1', node.on);
  assert.equal(httpOf((await address.seen(() => true)) as AddressState), undefined);

  const route = routeYaml('calc/r', 'name: division', '{backendRefs: [{name: v2, port: 80}]}');
  assert.match((await apply(route)).join(), /calc\/v2 port 80: BackendNotFound/);
  await address.seen(state => backendOf(state)?.invalid === 'BackendNotFound');
  assert.match(await get('status'), /BackendNotFound/);
  assert.match(await get('resources/httproutes/calc/r'), /BackendNotFound/);
  await apply(serviceYaml('calc/v2', '{name: http-v2, port: 80}'));
  const mended = await address.seen(state => backendOf(state)?.invalid === undefined);
  assert.equal(backendOf(mended as AddressState)?.name, '/svc/calc/v2/http-v2');
  assert.equal(await get('status'), '[]\n');

  await apply(
    trafficYaml('calc/p', 'name: division', 'balancer: {kind: roundRobin}, server: {concurrentRequests: 5}'),
  );
  const settled = await address.seen(state => JSON.stringify(state).includes('roundRobin'));
  assert.equal(settled?.target === 'service' && settled.http?.settings.timeouts.idleMs, 300_000);
  await node.seen(({ workloads }) => workloads[0]?.http?.concurrentRequests === 5);
  // The explanation follows the backend's name.
  assert.match(await get('delegate/default?path=/svc/calc/v2/http-v2'), /registry\/calc\/v2\/http-v2/);
});

test('a grant opens a service to routes of another namespace while it is there', async t => {
  const { client, apply, get, remove } = await start(t);
  await apply(SERVICE + serviceYaml('shared/v2', '{name: http-v2, port: 80}'));
  const address = watched<AddressState>();
  client.watch('address', '10.96.0.1:80', address.on);
  const rule = '{backendRefs: [{name: v2, namespace: shared, port: 80}]}';
  assert.match((await apply(routeYaml('calc/r', 'name: division', rule))).join(), /RefNotPermitted/);
  await address.seen(state => backendOf(state)?.invalid === 'RefNotPermitted');
  assert.match(await get('resources/httproutes/calc/r'), /RefNotPermitted/);
  assert.deepEqual(await apply(grantYaml('shared/calc', '{kind: HTTPRoute, namespace: calc}')), []);
  const granted = await address.seen(state => backendOf(state)?.invalid === undefined);
  assert.equal(backendOf(granted as AddressState)?.name, '/svc/shared/v2/http-v2');
  assert.equal(await get('status'), '[]\n');
  await remove('referencegrants/shared/calc');
  await address.seen(state => backendOf(state)?.invalid === 'RefNotPermitted');
  assert.match(await get('status'), /RefNotPermitted/);
});

test('of equal routes the older one decides, whatever their names, and that is foreseen', async t => {
  const { client, apply, get } = await start(t);
  await apply(SERVICE);
  const rule = (name: string) => `{name: ${name}, backendRefs: [{name: division, port: 80}]}`;
  await apply(routeYaml('calc/z', 'name: division', rule('old')));
  const stored = JSON.parse(await get('resources/httproutes/calc/z'));
  assert.match(stored.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const later = routeYaml('calc/a', 'name: division', rule('new')).replace(
    'namespace: calc',
    'namespace: calc, creationTimestamp: 2999-01-01T00:00:00Z',
  );
  assert.deepEqual(await apply(later), ['rule new: calc/z[old] has the same match and goes before']);
  const address = watched<AddressState>();
  client.watch('address', '10.96.0.1:80', address.on);
  const state = await address.seen(seen => httpOf(seen)?.routes?.matches.length === 2);
  const { matches = [], actions = [] } = httpOf(state as AddressState)?.routes ?? {};
  assert.deepEqual(
    matches.map(({ action }) => actions[action]?.id),
    ['calc/z[old]', 'calc/a[new]'],
  );
});

test("a request's dtab is followed by name, and refused where it leaves the mesh", async t => {
  const { client, apply } = await start(t);
  await apply(SERVICE + serviceYaml('calc/v2', '{name: http, port: 80}'));
  const followed = watched<NameState>();
  client.watch('name', '/svc/calc/division/http /svc/calc/division=>/svc/calc/v2', followed.on);
  await followed.seen(state => JSON.stringify(state).includes('"/#/registry/calc/v2/http"'));
  const outside = watched<NameState>();
  client.watch('name', '/svc/calc/division/http /svc=>/$/inet/169.254.169.254/80', outside.on, outside);
  assert.equal(await outside.refusal(), 'NM_REQUEST_DTAB');
  const rubbish = watched<NameState>();
  client.watch('name', '/svc/calc/division/http rubbish', rubbish.on, rubbish);
  assert.match((await rubbish.refusal()) ?? '', /NM_/);
});
