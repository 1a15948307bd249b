/** Certificates and requests of ours as another implementation sees them: the machine's openssl. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createCsr, issueCertificate, verifyChain, verifyCsr } from '#trust';
import { HOUR, intermediate, leaf, NOW, rootAuthority } from '../lib/authority.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'nodemesh-trust-'));
});
after(() => rmSync(dir, { recursive: true }));

const file = (name: string, text: string) => {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const at = String(NOW / 1000);

test('openssl reads a leaf as intended', async () => {
  const root = await rootAuthority();
  const { certPem } = await leaf(root);
  const text = openssl('x509', '-in', file('leaf.pem', certPem), '-noout', '-text');
  assert.match(text, /Version: 3/);
  assert.match(text, /Signature Algorithm: ecdsa-with-SHA256/);
  assert.match(text, /ASN1 OID: prime256v1/);
  assert.match(text, /Subject: *\n/);
  assert.match(text, /Subject Alternative Name: critical\s+URI:spiffe:\/\/mesh\.test\/ns\/shop\/sa\/cart\s/);
  assert.match(text, /Key Usage: critical\s+Digital Signature\s/);
  assert.match(text, /Extended Key Usage: *\s+TLS Web Server Authentication, TLS Web Client Authentication/);
  assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
  assert.match(text, /Subject Key Identifier/);
  assert.match(text, /Authority Key Identifier/);
  const authority = openssl('x509', '-in', file('root.pem', root.certPem), '-noout', '-text');
  assert.match(authority, /Basic Constraints: critical\s+CA:TRUE, pathlen:1/);
  assert.match(authority, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
});

test('openssl verifies a chain through an intermediate, strictly, and refuses what we refuse', async () => {
  const root = await rootAuthority();
  const middle = await intermediate(root);
  const { certPem } = await leaf(middle);
  const roots = file('roots.pem', root.certPem);
  const between = file('between.pem', middle.certPem);
  const end = file('end.pem', certPem);
  const verify = (...more: string[]) =>
    openssl('verify', '-x509_strict', '-attime', at, '-untrusted', between, ...more, end);
  assert.match(verify('-CAfile', roots, '-purpose', 'sslclient'), /OK/);
  assert.match(verify('-CAfile', roots, '-purpose', 'sslserver'), /OK/);
  assert.ok(verifyChain(certPem + middle.certPem, [root.certPem], NOW));
  const strange = file('strange.pem', (await rootAuthority()).certPem);
  assert.throws(() => verify('-CAfile', strange), /unable to get (local )?issuer/);
});

test('validity beyond 2049 is written as generalized time', async () => {
  const root = await rootAuthority({ to: Date.UTC(2060, 0, 2, 3, 4, 5) });
  assert.match(
    openssl('x509', '-in', file('late.pem', root.certPem), '-noout', '-enddate'),
    /Jan +2 03:04:05 2060 GMT/,
  );
});

test('openssl accepts our requests, and we accept its', async () => {
  const root = await rootAuthority();
  const csr = createCsr(root.key, { uri: 'spiffe://mesh.test/ns/a/sa/b' });
  const text = openssl('req', '-in', file('ours.csr', csr), '-noout', '-verify', '-text');
  assert.match(text, /URI:spiffe:\/\/mesh\.test\/ns\/a\/sa\/b/);
  const key = file('theirs.key', root.key.privateKeyPem);
  const theirs = openssl('req', '-new', '-sha256', '-key', key, '-subj', '/CN=ignored');
  assert.ok(verifyCsr(theirs).publicKey.equals(root.key.publicKey));
});

test('a certificate takes a fraction of a millisecond', async t => {
  const root = await rootAuthority();
  const order = {
    issuer: root,
    publicKey: root.key.publicKey,
    uri: 'spiffe://td/ns/a/sa/b',
    notBefore: NOW,
    notAfter: NOW + HOUR,
  };
  for (let i = 0; i < 200; i++) issueCertificate(order);
  const began = performance.now();
  const serials = new Set<string>();
  for (let i = 0; i < 500; i++) serials.add(issueCertificate(order));
  t.diagnostic(`${((performance.now() - began) / 500).toFixed(3)} ms per certificate`);
  assert.equal(serials.size, 500);
});
