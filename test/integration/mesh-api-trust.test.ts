/** Who may talk to whom over the mesh API, and what each gets. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { MeshApiError, MeshClient, type NameState } from '#api';
import { systemClock } from '#base/clock.ts';
import { firstWhere } from '#base/watch.ts';
import { createCsr, generateKey, verifyChain } from '#trust';
import { HOUR, leaf, rootAuthority } from '../lib/authority.ts';
import { boundTo, connected, Heard, meshRig, type Rig, TOKEN, TRUST_DOMAIN } from '../lib/mesh-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await meshRig();
});
afterEach(() => rig.close());

const refusal =
  (code: string, text = /./) =>
  (error: unknown) =>
    error instanceof MeshApiError && error.code === code && text.test(error.message);

test('a node joins with its token, then works with its certificate', async () => {
  const client = await rig.client({ joined: false });
  assert.equal(client.status.current.state, 'connecting');
  const key = await generateKey();
  const issued = await client.join({ node: 'node-1', token: TOKEN, csr: createCsr(key) });
  assert.equal(
    verifyChain(issued.chain, issued.trust.roots, Date.now()).uri,
    'spiffe://mesh.test/nodemesh/node/node-1',
  );
  client.setCredentials({ keyPem: key.privateKeyPem, chainPem: issued.chain });
  await connected(client);
  const workload = await client.certificate(
    'spiffe://mesh.test/ns/shop/sa/of-node-1',
    createCsr(await generateKey()),
  );
  assert.equal(
    verifyChain(workload.chain, issued.trust.roots, Date.now()).uri,
    'spiffe://mesh.test/ns/shop/sa/of-node-1',
  );
  assert.ok(workload.notAfter > Date.now());
});

test('refusals reach the caller with their code, text and advice', async () => {
  const client = await rig.client({ timeoutMs: 2000 });
  const csr = createCsr(await generateKey());
  const foreign = client.certificate('spiffe://mesh.test/ns/shop/sa/of-node-2', csr);
  await assert.rejects(foreign, (error: unknown) => {
    assert.ok(error instanceof MeshApiError);
    assert.equal(error.code, 'NM_CA_NOT_ON_NODE');
    assert.equal(error.status, 403);
    assert.equal(error.by, 'policy');
    assert.match(error.next ?? '', /registry/);
    return true;
  });
  await assert.rejects(client.join({ node: 'node-1', token: 'wrong', csr }), refusal('NM_CA_TOKEN'));
  await assert.rejects(
    client.certificate('spiffe://mesh.test/ns/shop/sa/of-node-1', 'x'),
    refusal('NM_CA_BAD_CSR'),
  );
  await assert.rejects(
    client.join({ node: 'node-1', token: TOKEN, csr: 'x'.repeat(100_000) }),
    refusal('NM_MESH_BODY', /longer/),
  );
});

test('a client without a certificate gets nothing but joining', async () => {
  const client = await rig.client({ joined: false });
  await assert.rejects(client.certificate('x', 'y'), refusal('NM_MESH_CREDENTIALS'));
});

test('a certificate of a workload, of another domain or of a stranger opens no watch, and the reason is told', async () => {
  const now = Date.now();
  const times = { from: now - HOUR, to: now + HOUR };
  const { issuer } = rig.authority.signing;
  const stranger = await rootAuthority(times);
  for (const [certificate, code, text] of [
    [
      await leaf(issuer, { uri: 'spiffe://mesh.test/ns/shop/sa/of-node-1', ...times }),
      'NM_MESH_CERTIFICATE',
      /is no node/,
    ],
    [
      await leaf(issuer, { uri: 'spiffe://other.test/nodemesh/node/node-1', ...times }),
      'NM_TRUST_DOMAIN',
      /other\.test/,
    ],
    [
      await leaf(issuer, { uri: 'spiffe://mesh.test/nodemesh/node/node-9', ...times }),
      'NM_MESH_CERTIFICATE',
      /'node-9' is configured/,
    ],
    [
      await leaf(issuer, {
        uri: 'spiffe://mesh.test/nodemesh/node/node-1',
        from: now - HOUR,
        to: now - 1000,
      }),
      'NM_MESH_CERTIFICATE',
      /CERT_HAS_EXPIRED/,
    ],
    [
      await leaf(stranger, { uri: 'spiffe://mesh.test/nodemesh/node/node-1', ...times }),
      'NM_MESH_CERTIFICATE',
      /not accepted/,
    ],
  ] as const) {
    const client = await rig.client({ joined: false });
    client.setCredentials({ keyPem: certificate.key.privateKeyPem, chainPem: certificate.certPem });
    const { error } = await firstWhere(
      client.status,
      ({ state }) => state !== 'connecting',
      AbortSignal.timeout(5000),
    );
    assert.equal(error?.code, code);
    assert.match(error?.message ?? '', text);
    client.close();
  }
});

test('a client does not talk to anybody but namerd of its own mesh', async () => {
  const credentials = await rig.credentials('node-1');
  const { roots } = rig.authority.trust.current;
  const other = (await rootAuthority({ from: Date.now() - HOUR, to: Date.now() + HOUR })).certPem;
  for (const [trustDomain, trusted] of [
    ['other.test', roots],
    [TRUST_DOMAIN, [other]],
  ] as const) {
    const { port } = rig.server;
    const client = new MeshClient({
      host: '127.0.0.1',
      port,
      trustDomain,
      roots: trusted,
      credentials,
      clock: systemClock,
    });
    const { error } = await firstWhere(
      client.status,
      ({ state }) => state === 'down',
      AbortSignal.timeout(5000),
    );
    assert.equal(error?.code, 'NM_MESH_IDENTITY');
    const csr = createCsr(await generateKey());
    await assert.rejects(client.join({ node: 'node-1', token: TOKEN, csr }), refusal('NM_MESH_IDENTITY'));
    client.setRoots(roots);
    if (trustDomain === TRUST_DOMAIN) await connected(client);
    client.close();
  }
});

test('new credentials take over without a gap in what is known', async () => {
  rig.source.name('/svc/a').set(boundTo(1));
  const client = await rig.client();
  const heard = new Heard<NameState>();
  client.watch('name', '/svc/a', heard.on);
  await heard.until(({ all }) => all.length === 1);
  const states = new Set<string>();
  client.status.observe(({ state }) => states.add(state));
  client.setCredentials(await rig.credentials('node-1'));
  rig.source.name('/svc/a').set(boundTo(2));
  await heard.until(({ all }) => all.length === 2);
  assert.deepEqual([...states], ['connected']);
});

test('a connection ends with the certificate that it began with', async () => {
  await rig.close();
  rig = await meshRig({ ttlMs: 2000 });
  const client = await rig.client();
  await connected(client);
  const { error } = await firstWhere(
    client.status,
    ({ state }) => state === 'down',
    AbortSignal.timeout(8000),
  );
  assert.ok(error);
  client.setCredentials(await rig.credentials('node-1'));
  await connected(client);
});

test('without namerd a request fails with the reason, and in time', async () => {
  const client = await rig.client({ timeoutMs: 500 });
  await connected(client);
  await rig.server.close();
  const csr = createCsr(await generateKey());
  await assert.rejects(
    client.certificate('spiffe://mesh.test/ns/shop/sa/of-node-1', csr),
    refusal('NM_MESH_TIMEOUT', /ECONNREFUSED|no connection/),
  );
  await assert.rejects(
    client.join({ node: 'node-1', token: TOKEN, csr }),
    refusal('NM_MESH_UNREACHABLE', /ECONNREFUSED/),
  );
  client.close();
  await assert.rejects(client.report([]), refusal('NM_MESH_CLOSED'));
});
