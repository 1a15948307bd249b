import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateKey, workloadId } from '#trust';
import { verifyIssued } from '../../../../node-proxy/identity/issued-chain.ts';
import { leaf, NOW, rootAuthority } from '../../../lib/authority.ts';

describe('an issued chain', () => {
  const identity = workloadId('mesh.test', 'shop', 'cart');

  it('is taken when a root vouches for it, and it is for this key and identity', async () => {
    const authority = await rootAuthority();
    const { key, certPem } = await leaf(authority, { uri: identity });
    const wanted = { identity, publicKey: key.publicKey, roots: [authority.certPem], atMs: NOW };
    assert.doesNotThrow(() => verifyIssued(certPem, wanted));
    const { publicKey } = await generateKey();
    assert.throws(() => verifyIssued(certPem, { ...wanted, publicKey }), { code: 'NM_CERTIFICATE_UNFIT' });
    const other = workloadId('mesh.test', 'shop', 'other');
    assert.throws(() => verifyIssued(certPem, { ...wanted, identity: other }), {
      code: 'NM_CERTIFICATE_UNFIT',
    });
    const stranger = await rootAuthority();
    assert.throws(() => verifyIssued(certPem, { ...wanted, roots: [stranger.certPem] }), {
      code: 'NM_TRUST_CHAIN',
    });
    assert.throws(() => verifyIssued(certPem, { ...wanted, atMs: NOW + 1e12 }), { code: 'NM_TRUST_TIME' });
  });
});
