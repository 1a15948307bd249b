import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issueCertificate, TrustError, verifyChain, workloadId } from '#trust';
import { CaError, givenAuthority } from '../../../namerd/ca/index.ts';
import { HOUR, intermediate, leaf, NOW, rootAuthority } from '../../lib/authority.ts';

const root = await rootAuthority();
const middle = await intermediate(root);
const other = await rootAuthority();
const given = (certificates: string, key = root.key.privateKeyPem) =>
  givenAuthority({ trustDomain: 'mesh.test', certificates, key });
const refused = (text: RegExp) => (error: unknown) =>
  error instanceof CaError && error.code === 'NM_CA_CONFIG' && text.test(error.message);

test('a given root signs, and further roots are trusted', () => {
  const authority = given(root.certPem + other.certPem);
  assert.deepEqual(authority.trust.current, {
    trustDomain: 'mesh.test',
    roots: [root.certPem, other.certPem],
  });
  assert.equal(authority.signing.intermediates, '');
  assert.deepEqual(
    authority.status().roots.map(({ phase }) => phase),
    ['signing', 'trusted'],
  );
});

test('a given intermediate signs, and its chain is sent along without the root', () => {
  const authority = given(middle.certPem + root.certPem, middle.key.privateKeyPem);
  assert.deepEqual(authority.trust.current.roots, [root.certPem]);
  const { issuer, intermediates, notAfter } = authority.signing;
  assert.equal(intermediates, middle.certPem);
  assert.equal(notAfter, NOW + 500 * HOUR);
  const uri = workloadId('mesh.test', 'a', 'b');
  const order = { issuer, publicKey: root.key.publicKey, uri, notBefore: NOW, notAfter: NOW + HOUR };
  assert.equal(verifyChain(issueCertificate(order) + intermediates, [root.certPem], NOW).uri, uri);
});

test('certificates and keys that do not fit together are refused, each with its reason', async () => {
  assert.throws(() => given(other.certPem), refused(/does not belong to the key/));
  assert.throws(() => given(middle.certPem, middle.key.privateKeyPem), refused(/no root is among/));
  assert.throws(
    () => given(middle.certPem + other.certPem, middle.key.privateKeyPem),
    refused(/not issued by the next/),
  );
  assert.throws(() => given(root.certPem + middle.certPem), refused(/intermediates follow/));
  const workload = await leaf(root);
  assert.throws(
    () => given(workload.certPem + root.certPem, workload.key.privateKeyPem),
    refused(/no authority/),
  );
  assert.throws(() => given('', 'x'), TrustError);
  assert.throws(() => given(''), TrustError);
});

test('a given root is not ours to rotate', async () => {
  await assert.rejects(
    given(root.certPem).rotate(),
    (error: unknown) => error instanceof CaError && /rootCert/.test(error.next ?? ''),
  );
});
