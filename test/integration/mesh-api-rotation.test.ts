/** Root rotation end to end: nodes that follow the bundle are never cut off, and old certificates work to their end. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MeshClient, type TrustState } from '#api';
import { systemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { firstWhere } from '#base/watch.ts';
import { createCsr, generateKey, verifyChain } from '#trust';
import { Certifier, JoinTokens, openOwnAuthority, tokenSha256 } from '../../namerd/ca/index.ts';
import { MeshServer } from '../../namerd/serve/mesh/index.ts';
import { FakeClock } from '../lib/fake-clock.ts';
import { connected, FakeSource, Heard, TOKEN, TRUST_DOMAIN } from '../lib/mesh-rig.ts';

const HOUR = 3_600_000;

test('a root is replaced while a node is connected, and the node comes back with either certificate', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'nodemesh-rotation-'));
  t.after(() => rmSync(dir, { recursive: true }));
  // Only the rotation lives in this time: TLS itself looks at the real clock.
  const clock = new FakeClock(Date.now());
  const log = silentLog;
  const ttlMs = 24 * HOUR;
  const authority = await openOwnAuthority({
    dir,
    trustDomain: TRUST_DOMAIN,
    certificateTtlMs: ttlMs,
    clock,
    log,
  });
  t.after(() => authority.close());
  const source = new FakeSource(authority.trust.current);
  authority.trust.observe(state => source.trust.set(state));
  const tokens = new JoinTokens([{ name: 'node-1', tokenSha256: tokenSha256(TOKEN) }]);
  const certifier = new Certifier({
    authority,
    trustDomain: TRUST_DOMAIN,
    ttlMs,
    tokens,
    placement: { nodeRuns: () => true },
    clock: systemClock,
    log,
  });
  const server = await MeshServer.start({
    host: '127.0.0.1',
    port: 0,
    certifier,
    source,
    clock: systemClock,
    log,
  });
  t.after(() => server.close());
  const options = {
    host: '127.0.0.1',
    port: server.port,
    trustDomain: TRUST_DOMAIN,
    clock: systemClock,
    roots: authority.trust.current.roots,
  };
  const client = new MeshClient(options);
  t.after(() => client.close());
  const key = await generateKey();
  const { chain } = await client.join({ node: 'node-1', token: TOKEN, csr: createCsr(key) });
  const old = { keyPem: key.privateKeyPem, chainPem: chain };
  client.setCredentials(old);
  const trust = new Heard<TrustState>();
  client.watch('trust', '', (state, version) => {
    if (state !== undefined) client.setRoots(state.roots);
    trust.on(state, version);
  });
  await trust.until(({ all }) => all.length === 1);

  await authority.rotate();
  await trust.until(({ last }) => last?.state?.roots.length === 2);
  const [oldRoot] = authority.trust.current.roots;
  const switched = firstWhere(
    authority.trust,
    ({ roots }) => roots[0] !== oldRoot,
    AbortSignal.timeout(5000),
  );
  clock.advance(HOUR);
  await switched;
  await trust.until(({ last }) => last?.state?.roots[0] !== oldRoot);

  const fresh = await generateKey();
  const issued = await client.certificate('spiffe://mesh.test/nodemesh/node/node-1', createCsr(fresh));
  const [newRoot = ''] = authority.trust.current.roots;
  assert.ok(verifyChain(issued.chain, [newRoot], Date.now()), 'the new root signs');
  // The server shows a certificate of the new root by now; a client with the old bundle only would be lost.
  for (const credentials of [{ keyPem: fresh.privateKeyPem, chainPem: issued.chain }, old]) {
    const next = new MeshClient({ ...options, roots: authority.trust.current.roots, credentials });
    await connected(next);
    next.close();
  }
});
