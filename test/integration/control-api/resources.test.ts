import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import type { ObjectStatus, Resource } from '../../../namerd/resources/index.ts';
import { readResources } from '../../../namerd/resources/index.ts';
import { authorityRoutes } from '../../../namerd/serve/control/authority.ts';
import { Catalog } from '../../../namerd/serve/control/catalog.ts';
import { resourceRoutes } from '../../../namerd/serve/control/resources.ts';
import { memoryStorage } from '../../../namerd/store/index.ts';
import { serve } from './control-server.ts';

const WARNING: ObjectStatus = {
  kind: 'AuthorizationPolicy',
  key: 'calc/p',
  source: 'storage',
  state: 'warning',
  messages: ['hardly meant'],
};

async function start(t: TestContext) {
  const storage = memoryStorage();
  const catalog = new Catalog({
    storage,
    statuses: () => [WARNING],
    registryFiles: () => ({
      services: [service('division').value as never].map(value => ({ value, source: 'files/calc.yaml' })),
      workloads: [],
    }),
  });
  const routes = resourceRoutes(catalog, resource =>
    resource.kind === 'AuthorizationPolicy' ? [WARNING] : [],
  );
  return { storage, ...(await serve(t, routes)) };
}

function service(name: string): Resource {
  const spec = { ports: [{ name: 'http', port: 80, targetPort: 'web' }], selector: { app: name } };
  return readResources(document('Service', { name, namespace: 'calc' }, spec), 'f').resources[0] as Resource;
}

function document(kind: string, metadata: object, spec: object): string {
  return stringify({ apiVersion: 'nodemesh.io/v1alpha1', kind, metadata, spec });
}

const POLICY = document(
  'AuthorizationPolicy',
  { name: 'p', namespace: 'calc' },
  { action: 'DENY', rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }] },
);
const PATH = '/api/1/resources/authorizationpolicies/calc/p';

test('an object is created, read, changed with its version, and deleted', async t => {
  const { call } = await start(t);
  const created = await call(`PUT ${PATH}`, { body: POLICY });
  assert.equal(created.status, 201);
  const first = created.headers.get('etag') ?? '';
  assert.deepEqual(JSON.parse(created.body), { created: true, version: first, status: [WARNING] });
  const read = await call(`GET ${PATH}`);
  assert.equal(read.headers.get('etag'), first);
  const object = JSON.parse(read.body);
  assert.deepEqual(object.spec, { action: 'DENY', rules: [{ from: [{ ipBlocks: ['0.0.0.0/0', '::/0'] }] }] });
  assert.equal(object.metadata.resourceVersion, first);
  assert.deepEqual(object.status, { state: 'warning', source: 'storage', messages: ['hardly meant'] });
  assert.equal((await call(`GET ${PATH}`, { headers: { 'if-none-match': `"${first}"` } })).status, 304);

  // What was read goes back as it is: its resourceVersion is the condition.
  object.spec.action = 'AUDIT';
  const changed = await call(`PUT ${PATH}`, { body: JSON.stringify(object) });
  assert.equal(changed.status, 200);
  assert.equal((await call(`PUT ${PATH}`, { body: JSON.stringify(object) })).status, 412);
  const second = changed.headers.get('etag') ?? '';
  assert.equal((await call(`DELETE ${PATH}`, { headers: { 'if-match': first } })).status, 412);
  assert.equal((await call(`DELETE ${PATH}`, { headers: { 'if-match': second } })).status, 204);
  assert.equal((await call(`GET ${PATH}`)).status, 404);
});

test('a dry run says what would happen and changes nothing', async t => {
  const { call, storage } = await start(t);
  const dry = await call(`PUT ${PATH}?dryRun=true`, { body: POLICY });
  assert.deepEqual(JSON.parse(dry.body), { dryRun: true, created: true, status: [WARNING] });
  const stale = await call(`PUT ${PATH}?dryRun=true`, { headers: { 'if-match': 'x' }, body: POLICY });
  assert.equal(stale.status, 404);
  assert.equal(storage.policies.documents.current.size, 0);
});

test('a bad document is refused with every problem and its place', async t => {
  const { call, storage } = await start(t);
  const bad = document(
    'AuthorizationPolicy',
    { name: 'p', namespace: 'calc' },
    { action: 'NO', rules: [{ from: [] }], x: 1 },
  );
  const text = await call(`PUT ${PATH}`, { body: bad });
  assert.equal(text.status, 400);
  assert.equal(text.body.trim().split('\n').length, 3);
  assert.match(text.body, /^body:7:11: spec\.action: /);
  const json = await call(`PUT ${PATH}`, { headers: { accept: 'application/json' }, body: bad });
  const { code, problems } = JSON.parse(json.body) as { code: string; problems: { line: number }[] };
  assert.equal(code, 'NM_CONFIG');
  assert.deepEqual(
    problems.map(({ line }) => line),
    [7, 9, 10],
  );
  assert.equal(storage.policies.documents.current.size, 0);
});

test('requests that fit nothing say why', async t => {
  const { call } = await start(t);
  const cases: [string, string | undefined, number, RegExp][] = [
    ['GET /api/1/resources/pods', undefined, 404, /no kind 'pods': dtabs, /],
    ['GET /api/1/resources/dtabs/ns/name', undefined, 404, /dtabs\/<name>/],
    ['GET /api/1/resources/services/name', undefined, 404, /services\/<namespace>\/<name>/],
    ['GET /api/1/resources/dtabs/none', undefined, 404, /'none' does not exist/],
    [
      `PUT ${PATH.replace('/p', '/q')}`,
      POLICY,
      400,
      /the document is AuthorizationPolicy calc\/p, the path names/,
    ],
    [`PUT ${PATH}`, `${POLICY}---\n${POLICY.replace('name: p', 'name: q')}`, 400, /one document/],
    [`PUT ${PATH}`, '', 400, /one document/],
    [
      'PUT /api/1/resources/services/calc/division',
      document('Service', { name: 'division', namespace: 'calc' }, { ports: [{ port: 1 }] }),
      409,
      /stands in files\/calc\.yaml/,
    ],
    ['DELETE /api/1/resources/services/calc/division', undefined, 409, /remove it there/],
    [`POST ${PATH}`, POLICY, 405, /DELETE, GET, HEAD, PUT/],
  ];
  for (const [request, body, status, message] of cases) {
    const answer = await call(request, body === undefined ? {} : { body });
    assert.equal(answer.status, status, `${request}: ${answer.body}`);
    assert.match(answer.body, message);
  }
});

test('lists hold what is stored and what files hold, by namespace if asked', async t => {
  const { call } = await start(t);
  const own = document('Service', { name: 'addition', namespace: 'calc' }, { ports: [{ port: 80 }] });
  await call('PUT /api/1/resources/services/calc/addition', { body: own });
  const { items } = JSON.parse((await call('GET /api/1/resources/svc')).body);
  assert.deepEqual(
    items.map((item: { metadata: { name: string }; status: { source: string } }) => [
      item.metadata.name,
      item.status.source,
    ]),
    [
      ['addition', 'storage'],
      ['division', 'files/calc.yaml'],
    ],
  );
  assert.deepEqual(items[1].spec, {
    addresses: [],
    ports: [{ name: 'http', port: 80, targetPort: 'web' }],
    selector: { app: 'division' },
  });
  assert.deepEqual(JSON.parse((await call('GET /api/1/resources/services?namespace=x')).body).items, []);
  assert.deepEqual(JSON.parse((await call('GET /api/1/status')).body), [WARNING]);
});

test('without a mesh there is no authority', async t => {
  const { call } = await serve(t, authorityRoutes(undefined));
  assert.equal((await call('GET /api/1/ca')).status, 404);
  assert.equal((await call('POST /api/1/ca/rotate')).status, 404);
  assert.equal((await call('GET /api/1/ca/rotate')).status, 405);
});
