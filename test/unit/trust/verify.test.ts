import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, test } from 'node:test';
import {
  generateKey,
  issueCertificate,
  spiffeOf,
  TrustError,
  type TrustReason,
  verifyChain,
  verifyPeer,
} from '#trust';
import { type Authority, HOUR, intermediate, leaf, NOW, rootAuthority } from '../../lib/authority.ts';

let root: Authority;
let other: Authority;
before(async () => {
  root = await rootAuthority();
  other = await rootAuthority();
});

const refusal =
  (code: TrustReason, text = /./) =>
  (error: unknown) =>
    error instanceof TrustError && error.code === code && text.test(error.message);

test('a leaf of a trusted root is accepted, with its identity', async () => {
  const { certPem } = await leaf(root);
  const { uri, leaf: certificate } = verifyChain(certPem, [other.certPem, root.certPem], NOW);
  assert.equal(uri, 'spiffe://mesh.test/ns/shop/sa/cart');
  assert.equal(certificate.subject, undefined);
  assert.equal(certificate.serialNumber.length, 32);
});

test('another root with every right but trust is refused', async () => {
  const { certPem } = await leaf(other);
  assert.throws(
    () => verifyChain(certPem, [root.certPem], NOW),
    refusal('NM_TRUST_CHAIN', /ns\/shop\/sa\/cart/),
  );
  assert.throws(() => verifyChain(certPem, [], NOW), refusal('NM_TRUST_CHAIN'));
  assert.throws(() => verifyChain(certPem + other.certPem, [root.certPem], NOW), refusal('NM_TRUST_CHAIN'));
});

test('a leaf outside of its time is refused, and so is one under an expired root', async () => {
  const { certPem } = await leaf(root, { from: NOW, to: NOW + HOUR });
  assert.ok(verifyChain(certPem, [root.certPem], NOW));
  assert.ok(verifyChain(certPem, [root.certPem], NOW + HOUR));
  assert.throws(() => verifyChain(certPem, [root.certPem], NOW - 1), refusal('NM_TRUST_TIME', /valid from/));
  assert.throws(
    () => verifyChain(certPem, [root.certPem], NOW + HOUR + 1),
    refusal('NM_TRUST_TIME', /expired/),
  );
  const old = await rootAuthority({ from: NOW - 9 * HOUR, to: NOW - HOUR });
  const under = await leaf(old);
  assert.throws(() => verifyChain(under.certPem, [old.certPem], NOW), refusal('NM_TRUST_TIME', /authority/));
});

test('intermediates are found in any order, and path lengths are kept', async () => {
  const long = await rootAuthority({ pathLength: 2 });
  const first = await intermediate(long, { pathLength: 1 });
  const second = await intermediate(first);
  const { certPem } = await leaf(second);
  for (const chain of [
    certPem + second.certPem + first.certPem,
    certPem + first.certPem + second.certPem,
    certPem + other.certPem + first.certPem + second.certPem,
  ])
    assert.ok(verifyChain(chain, [long.certPem], NOW));
  assert.throws(() => verifyChain(certPem + second.certPem, [long.certPem], NOW), refusal('NM_TRUST_CHAIN'));
  const short = await rootAuthority({ pathLength: 0 });
  const forbidden = await intermediate(short);
  const { certPem: below } = await leaf(forbidden);
  assert.throws(
    () => verifyChain(below + forbidden.certPem, [short.certPem], NOW),
    refusal('NM_TRUST_CERTIFICATE', /allows 0 authorities/),
  );
});

test('a leaf can not act as an authority, and an authority is no leaf', async () => {
  const workload = await leaf(root);
  assert.throws(
    () =>
      issueCertificate({
        issuer: { certPem: workload.certPem, privateKey: workload.key.privateKey },
        publicKey: root.key.publicKey,
        uri: 'spiffe://td/ns/a/sa/b',
        notBefore: NOW,
        notAfter: NOW + HOUR,
      }),
    refusal('NM_TRUST_CERTIFICATE', /no authority/),
  );
  assert.throws(
    () => verifyChain(root.certPem, [root.certPem], NOW),
    refusal('NM_TRUST_CERTIFICATE', /is an authority/),
  );
});

test('a chain that is too long is refused before any signature is looked at', async () => {
  const { certPem } = await leaf(root);
  assert.throws(
    () => verifyChain(certPem.repeat(9), [root.certPem], NOW),
    refusal('NM_TRUST_CHAIN', /more than 8/),
  );
});

test('the peer must be in the trust domain and be who is expected', async () => {
  const certificate = new X509Certificate((await leaf(root)).certPem);
  const cart = 'spiffe://mesh.test/ns/shop/sa/cart';
  assert.equal(verifyPeer(certificate, { trustDomain: 'mesh.test' }).serviceAccount, 'cart');
  assert.equal(
    verifyPeer(certificate, { trustDomain: 'mesh.test', anyOf: ['spiffe://mesh.test/ns/x/sa/y', cart] }).text,
    cart,
  );
  assert.throws(() => verifyPeer(certificate, { trustDomain: 'other.test' }), refusal('NM_TRUST_DOMAIN'));
  assert.throws(
    () => verifyPeer(certificate, { trustDomain: 'mesh.test', anyOf: [] }),
    refusal('NM_TRUST_IDENTITY'),
  );
  const authority = new X509Certificate(root.certPem);
  assert.equal(spiffeOf(authority), undefined);
  assert.throws(() => verifyPeer(authority, { trustDomain: 'mesh.test' }), refusal('NM_TRUST_CERTIFICATE'));
});

test('an order that can not be met is refused', async () => {
  const { publicKey } = await generateKey();
  const order = { issuer: root, publicKey, notBefore: NOW, notAfter: NOW + HOUR };
  assert.throws(
    () => issueCertificate({ ...order, uri: 'spiffe://td/elsewhere' }),
    refusal('NM_TRUST_SPIFFE'),
  );
  assert.throws(() => issueCertificate(order), refusal('NM_TRUST_CERTIFICATE', /identity or a name/));
  assert.throws(
    () => issueCertificate({ ...order, commonName: 'x', notAfter: NOW }),
    refusal('NM_TRUST_TIME'),
  );
  const mixed = { certPem: other.certPem, privateKey: root.privateKey };
  assert.throws(
    () => issueCertificate({ ...order, commonName: 'x', issuer: mixed }),
    refusal('NM_TRUST_CERTIFICATE', /key does not belong/),
  );
});
