import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { KINDS } from '../../../namerd/resources/index.ts';
import { Catalog } from '../../../namerd/serve/control/catalog.ts';
import { resourceRoutes } from '../../../namerd/serve/control/resources.ts';
import { memoryStorage } from '../../../namerd/store/index.ts';
import { serve } from './control-server.ts';

const EXAMPLES = join(import.meta.dirname, '../../../deploy/examples');
const example = (file: string) => readFileSync(join(EXAMPLES, file), 'utf8');

async function start(t: TestContext) {
  const storage = memoryStorage();
  const registryFiles = () => ({ services: [], workloads: [] });
  const catalog = new Catalog({ storage, statuses: () => [], registryFiles });
  return {
    storage,
    ...(await serve(
      t,
      resourceRoutes(catalog, () => []),
    )),
  };
}

const OBJECTS = [
  ['route-http.yaml', 'httproutes', 'calc/multiplication', 'http'],
  ['route-grpc.yaml', 'grpcroutes', 'grpc-calc/division', 'grpc'],
  ['traffic-percentage.yaml', 'trafficpolicies', 'calc/percentage', 'tp'],
] as const;

for (const [file, plural, key, alias] of OBJECTS)
  test(`${plural} are stored, shown as written, listed and deleted`, async t => {
    const { call } = await start(t);
    const path = `/api/1/resources/${plural}/${key}`;
    const written = parse(example(file));
    const created = await call(`PUT ${path}`, { body: example(file) });
    assert.equal(created.status, 201, created.body);
    const read = JSON.parse((await call(`GET ${path}`)).body);
    assert.equal(read.apiVersion, written.apiVersion);
    assert.deepEqual(read.spec, written.spec);
    const { items } = JSON.parse((await call(`GET /api/1/resources/${alias}`)).body);
    assert.deepEqual(
      items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
      [key.split('/')[1]],
    );
    // What was read goes back, and only once.
    assert.equal((await call(`PUT ${path}`, { body: JSON.stringify(read) })).status, 200);
    assert.equal((await call(`PUT ${path}`, { body: JSON.stringify(read) })).status, 412);
    assert.equal((await call(`DELETE ${path}`)).status, 204);
    assert.equal((await call(`GET ${path}`)).status, 404);
  });

test('an HTTPRoute and a GRPCRoute of one name are two objects', async t => {
  const { call, storage } = await start(t);
  for (const kind of ['HTTPRoute', 'GRPCRoute']) {
    const document = { ...parse(example('route-grpc.yaml')), kind };
    document.spec.rules = [{ backendRefs: [{ name: 'a', port: 1 }] }];
    const path = `/api/1/resources/${kind.toLowerCase()}s/grpc-calc/division`;
    assert.equal((await call(`PUT ${path}`, { body: stringify(document) })).status, 201);
  }
  assert.equal(storage.httpRoutes.documents.current.get('grpc-calc/division')?.value.value.kind, 'http');
  assert.equal(storage.grpcRoutes.documents.current.get('grpc-calc/division')?.value.value.kind, 'grpc');
});

test('what the mesh cannot do is refused with every reason and its place', async t => {
  const { call, storage } = await start(t);
  const document = parse(example('route-http.yaml'));
  document.spec.rules[0].filters = [{ type: 'RequestMirror', requestMirror: { backendRef: { name: 'a' } } }];
  document.spec.rules[1].sessionPersistence = { sessionName: 'x' };
  const text = stringify(document);
  const refused = await call('PUT /api/1/resources/httproutes/calc/multiplication', { body: text });
  assert.equal(refused.status, 400);
  assert.match(
    refused.body,
    /^body:\d+:\d+: spec\.rules\[0\]\.filters\[0\]: .*RequestMirror is not supported/m,
  );
  assert.match(refused.body, /^body:\d+:\d+: spec\.rules\[1\]\.sessionPersistence: .*not supported/m);
  assert.equal(storage.httpRoutes.documents.current.size, 0);
});

test('the kinds and their spellings are told', async t => {
  const { call } = await start(t);
  const kinds: { kind: string; apiVersion: string }[] = JSON.parse((await call('GET /api/1/resources')).body);
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    [...KINDS],
  );
  const route = kinds.find(({ kind }) => kind === 'GRPCRoute');
  assert.equal(route?.apiVersion, 'gateway.networking.k8s.io/v1');
});
