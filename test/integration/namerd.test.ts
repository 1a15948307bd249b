import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { type AddressState, MeshClient, type NameState, type NodeState, type TrustState } from '#api';
import { systemClock } from '#base/clock.ts';
import { createLog, silentLog } from '#base/log.ts';
import { Cell, firstWhere } from '#base/watch.ts';
import { createCsr, generateKey, issueCertificate } from '#trust';
import { startNamerd } from '../../namerd/app.ts';
import { readConfig } from '../../namerd/config.ts';
import { rootAuthority } from '../lib/authority.ts';
import { type NamerdProcess, runNamerd, startNamerdProcess } from '../lib/namerd-process.ts';

const TOKEN = 'a token that is long enough';
const PATIENCE_MS = 10_000;

const SERVICE = `
apiVersion: nodemesh.io/v1alpha1
kind: Service
metadata: {name: division, namespace: calc}
spec: {addresses: [10.96.0.1], ports: [{name: http, port: 80, targetPort: 8080}], selector: {app: division}}
`;
const workload = (name: string, ip: string) => `
apiVersion: nodemesh.io/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: calc, labels: {app: division}}
spec: {node: node-1, serviceAccount: division, addresses: [${ip}]}
`;

async function directory(t: TestContext): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'nodemesh-namerd-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  await mkdir(join(dir, 'registry'));
  writeFileSync(join(dir, 'registry/calc.yaml'), `${SERVICE}---${workload('division-1', '10.1.0.5')}`);
  writeFileSync(join(dir, 'token'), TOKEN);
  writeFileSync(
    join(dir, 'namerd.yaml'),
    `
admin: {port: 0}
storage: {kind: io.nodemesh.file, dir: data}
namers: [{kind: io.nodemesh.registry, dir: registry}]
interfaces:
- {kind: io.l5d.httpController, port: 0}
- {kind: io.nodemesh.mesh, port: 0, trustDomain: demo.mesh, ca: {dir: ca}, nodes: [{name: node-1, tokenFile: token}]}
`,
  );
  return dir;
}

async function start(t: TestContext, dir: string) {
  const file = join(dir, 'namerd.yaml');
  const config = readConfig(await readFile(file, 'utf8'), file);
  let shutdowns = 0;
  const log = createLog({ name: 'test', level: 'silent' });
  const namerd = await startNamerd({ config, log, onShutdown: () => (shutdowns += 1) });
  t.after(() => namerd.close());
  const ask =
    (port: number | undefined) =>
    async (request: string, options: RequestInit = {}) => {
      const [method = '', path = ''] = request.split(' ');
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...options });
      return { status: response.status, body: await response.text(), headers: response.headers };
    };
  const { admin, control, mesh } = namerd.ports;
  return {
    namerd,
    log,
    admin: ask(admin),
    control: ask(control),
    meshPort: mesh ?? 0,
    shutdowns: () => shutdowns,
  };
}

/** A node proxy's side, joined. */
async function joined(t: TestContext, port: number, roots: string): Promise<MeshClient> {
  const where = { host: '127.0.0.1', port, trustDomain: 'demo.mesh', roots: [roots], clock: systemClock };
  const newcomer = new MeshClient(where);
  const key = await generateKey();
  const { chain } = await newcomer.join({ node: 'node-1', token: TOKEN, csr: createCsr(key) });
  newcomer.close();
  const client = new MeshClient({ ...where, credentials: { chainPem: chain, keyPem: key.privateKeyPem } });
  t.after(() => client.close());
  return client;
}

test('a node proxy is told of names, addresses, policies and trust, and of their changes', async t => {
  const dir = await directory(t);
  const { control, meshPort } = await start(t, dir);
  const client = await joined(t, meshPort, (await control('GET /api/1/ca/roots')).body);
  const address = new Cell<AddressState | undefined>(undefined);
  const name = new Cell<NameState | undefined>(undefined);
  const node = new Cell<NodeState | undefined>(undefined);
  const trust = new Cell<TrustState | undefined>(undefined);
  client.watch('address', '10.96.0.1:80', state => address.set(state));
  client.watch('name', '/svc/calc/division/80', state => name.set(state));
  client.watch('node', 'node-1', state => node.set(state));
  client.watch('trust', '', state => trust.set(state));
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const seen = <T>(cell: Cell<T | undefined>, part: RegExp) =>
    firstWhere(cell, value => value !== undefined && part.test(JSON.stringify(value)), signal);

  const service = await seen(address, /10\.1\.0\.5:8080/);
  assert.ok(service?.target === 'service');
  assert.deepEqual([service.name, service.port], ['/svc/calc/division/http', 'http']);
  await seen(name, /"id":"\/#\/registry\/calc\/division\/http"/);
  await seen(trust, /BEGIN CERTIFICATE/);
  const state = await seen(node, /division-1/);
  assert.equal(state?.workloads[0]?.identity, 'spiffe://demo.mesh/ns/calc/sa/division');
  assert.deepEqual(state?.workloads[0]?.transport, { mode: 'permissive', ports: {} });

  // A dtab of the namespace moves everything; a policy reaches the node; a workload appears; a report counts.
  const dtab = { 'content-type': 'application/dtab' };
  await control('PUT /api/1/dtabs/default', { headers: dtab, body: '/svc/calc => /$/inet/10.9.9.9/1 ;' });
  await seen(address, /10\.9\.9\.9:1/);
  await control('DELETE /api/1/dtabs/default');
  await seen(address, /10\.1\.0\.5:8080/);
  const policy =
    '{"apiVersion":"nodemesh.io/v1alpha1","kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"calc"},"spec":{"action":"DENY","rules":[{"from":[{"identities":["*"]}]}],"transport":{"mode":"strict"}}}';
  await control('PUT /api/1/resources/authorizationpolicies/calc/p', { body: policy });
  assert.deepEqual((await seen(node, /"mode":"strict"/))?.workloads[0]?.policies, ['calc/p']);
  writeFileSync(join(dir, 'registry/more.yaml'), workload('division-2', '10.1.0.6'));
  await seen(address, /10\.1\.0\.6:8080/);
  assert.doesNotMatch(JSON.stringify(address.current), /"hbone":true/);
  await client.report(['calc/division-1']);
  await seen(address, /"hbone":true/);

  // Only what runs on the node is certified for it.
  const csr = createCsr(await generateKey());
  await client.certificate('spiffe://demo.mesh/ns/calc/sa/division', csr);
  await assert.rejects(client.certificate('spiffe://demo.mesh/ns/calc/sa/other', csr), /other|node-1/);
});

test('a namerd that is killed with -9 comes back with everything: objects, versions, reports, root', async t => {
  const dir = await directory(t);
  const running: NamerdProcess[] = [];
  t.after(() => {
    for (const { child } of running) child.kill('SIGKILL');
  });
  const run = async () => {
    const namerd = await startNamerdProcess(join(dir, 'namerd.yaml'));
    running.push(namerd);
    const get = async (path: string) =>
      (await fetch(`http://127.0.0.1:${namerd.ports.control}/api/1/${path}`)).text();
    return { ...namerd, get };
  };
  const first = await run();
  const put = await fetch(`http://127.0.0.1:${first.ports.control}/api/1/dtabs/default`, {
    method: 'PUT',
    headers: { 'content-type': 'application/dtab' },
    body: '/svc => /#/registry',
  });
  const roots = await first.get('ca/roots');
  const client = await joined(t, first.ports.mesh, roots);
  await client.report(['calc/division-1']);
  client.close();
  first.child.kill('SIGKILL');
  assert.equal(await first.ended, 'SIGKILL');

  const second = await run();
  const dtab = await fetch(`http://127.0.0.1:${second.ports.control}/api/1/dtabs/default`);
  assert.equal(dtab.headers.get('etag'), put.headers.get('etag'));
  assert.equal(await second.get('ca/roots'), roots);
  assert.match(await second.get('bind/default?path=/svc/calc/division/http'), /"hbone":true/);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
});

test('the admin interface', async t => {
  const { admin, log, shutdowns } = await start(t, await directory(t));
  const json = async (path: string) => JSON.parse((await admin(`GET ${path}`)).body);
  assert.equal((await admin('GET /admin/ping')).body, 'pong\n');
  assert.deepEqual(await json('/ready'), { ready: true, blockers: [] });
  assert.equal((await json('/admin/server_info')).name, 'namerd');
  for (const path of ['/metrics', '/admin/metrics/prometheus']) {
    const { headers, body } = await admin(`GET ${path}`);
    assert.match(headers.get('content-type') ?? '', /^text\/plain/);
    assert.match(body, /^namerd_registry_services 1$/m);
    assert.match(body, /^nodejs_eventloop_lag_seconds /m);
  }
  const flat = await json('/admin/metrics.json');
  assert.equal(flat['namerd_stored_documents{kind=Dtab}'], 0);
  assert.equal(flat['namerd_http_requests_total{server=admin,route=/ready,method=GET,status=200}'], 1);
  const config = (await admin('GET /config.json')).body;
  assert.match(config, /"tokenFile":"token"/);
  assert.doesNotMatch(config, /long enough/);
  assert.deepEqual(await json('/bound-names.json'), ['/#/registry/calc/division/http']);
  assert.deepEqual(await json('/storage.json'), {
    Dtab: {},
    AuthorizationPolicy: {},
    TrafficPolicy: {},
    HTTPRoute: {},
    GRPCRoute: {},
    ReferenceGrant: {},
    Service: {},
    Workload: {},
  });
  assert.deepEqual(await json('/status.json'), []);

  assert.equal((await admin('POST /logging?level=error')).status, 200);
  assert.equal(log.level, 'error');
  const asJson = { headers: { 'content-type': 'application/json' }, body: '{"level":"silent"}' };
  assert.equal((await admin('POST /logging.json', asJson)).status, 200);
  assert.equal((await json('/logging')).level, 'silent');
  assert.equal((await admin('POST /logging', { body: 'level=loud' })).status, 400);
  assert.equal((await admin('GET /admin/shutdown')).status, 405);
  assert.equal((await admin('POST /admin/shutdown')).status, 202);
  while (shutdowns() === 0) await new Promise(resolve => setImmediate(resolve));
});

test('bad registry files and bad hand edits show in the status, and mend', async t => {
  const dir = await directory(t);
  const { control } = await start(t, dir);
  const status = async () =>
    JSON.parse((await control('GET /api/1/status')).body) as { source: string; messages: string[] }[];
  const statusWhere = async (wanted: (list: Awaited<ReturnType<typeof status>>) => boolean) => {
    const deadline = performance.now() + PATIENCE_MS;
    for (let list = await status(); ; list = await status()) {
      if (wanted(list)) return list;
      assert.ok(performance.now() < deadline, JSON.stringify(list));
    }
  };
  assert.deepEqual(await status(), []);
  writeFileSync(join(dir, 'registry/calc.yaml'), SERVICE.replace('port: 80', 'port: 0'));
  writeFileSync(join(dir, 'data/dtabs/x.yaml'), 'kind: Dtab');
  const [first, second] = await statusWhere(list => list.length === 2);
  assert.match(
    `${first?.messages} ${second?.messages}`,
    /calc\.yaml:\d+:\d+: spec\.ports\[0\]\.port: 0 is out of range/,
  );
  assert.match(`${first?.messages} ${second?.messages}`, /x\.yaml:1:1: the field 'apiVersion' is missing/);
  assert.match((await control('GET /api/1/bind/default?path=/svc/calc/division/http')).body, /10\.1\.0\.5/);
  writeFileSync(join(dir, 'registry/calc.yaml'), SERVICE);
  rmSync(join(dir, 'data/dtabs/x.yaml'));
  await statusWhere(list => list.length === 0);
});

test('the control API over TLS, for clients with a certificate only', async t => {
  const dir = await directory(t);
  const now = Date.now();
  const root = await rootAuthority({ from: now - 3_600_000, to: now + 3_600_000 });
  const key = await generateKey();
  const certificate = issueCertificate({
    issuer: root,
    publicKey: key.publicKey,
    uri: 'spiffe://demo.mesh/nodemesh/namerd',
    notBefore: now - 60_000,
    notAfter: now + 60_000,
  });
  writeFileSync(join(dir, 'cert.pem'), certificate);
  writeFileSync(join(dir, 'key.pem'), key.privateKeyPem);
  writeFileSync(join(dir, 'ca.pem'), root.certPem);
  const file = join(dir, 'namerd.yaml');
  const tls = 'tls: {certPath: cert.pem, keyPath: key.pem, caCertPath: ca.pem, requireClientAuth: true}';
  const config = readConfig(
    `admin: {port: 0}\nstorage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, port: 0, ${tls}}]`,
    file,
  );
  const namerd = await startNamerd({ config, log: silentLog });
  t.after(() => namerd.close());
  const get = (credentials: object) =>
    new Promise<string>((resolve, reject) => {
      const where = { host: '127.0.0.1', port: namerd.ports.control, path: '/api/1/dtabs', agent: false };
      const trust = { ca: root.certPem, checkServerIdentity: () => undefined };
      httpsRequest({ ...where, ...trust, ...credentials }, response => text(response).then(resolve, reject))
        .on('error', reject)
        .end();
    });
  assert.equal(await get({ cert: certificate, key: key.privateKeyPem }), '[]\n');
  await assert.rejects(get({}));
});

test('a namerd that anybody may use over the network says so when it starts', async t => {
  const said: string[] = [];
  const config = readConfig(
    'admin: {port: 0}\nstorage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, ip: 0.0.0.0, port: 0}]\n',
    '-',
  );
  const log = pino({ level: 'warn' }, { write: line => said.push(line) });
  const namerd = await startNamerd({ config, log });
  t.after(() => namerd.close());
  assert.match(said.join(''), /io\.l5d\.httpController listens on 0\.0\.0\.0:0 without 'tls'/);
  assert.equal(said.length, 1);
});

test('a namerd that cannot start says why and leaves nothing running', async t => {
  const dir = await directory(t);
  const bad = await runNamerd(['-'], 'storage: {kind: nope}\ninterfaces: []\n');
  assert.equal(bad.code, 64);
  assert.match(bad.err, /^-:1:17: storage\.kind: 'nope' is not one of/);
  assert.equal((await runNamerd([join(dir, 'none.yaml')])).code, 64);
  const good = await runNamerd([join(dir, 'namerd.yaml'), '--validate']);
  assert.deepEqual([good.code, good.out], [0, `${join(dir, 'namerd.yaml')}: good\n`]);
  const open =
    'admin: {ip: 0.0.0.0, port: 0}\nstorage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, ip: 0.0.0.0, port: 0}]\n';
  const exposed = await runNamerd(['-', '--validate'], open);
  assert.deepEqual([exposed.code, exposed.out], [0, '-: good\n']);
  assert.match(
    exposed.err,
    /^-: warning: the admin interface listens on 0\.0\.0\.0:0 .*\n-: warning: io\.l5d\.http/,
  );

  const { namerd } = await start(t, dir);
  const port = namerd.ports.control;
  const taken = `admin: {port: 0}\nstorage: {kind: io.l5d.inMemory}\ninterfaces: [{kind: io.l5d.httpController, port: ${port}}]\n`;
  const second = await runNamerd(['-', '--log-level', 'silent'], taken);
  assert.equal(second.code, 1);
  assert.match(second.err, /cannot listen on 127\.0\.0\.1 port \d+: .*EADDRINUSE/);
});
