import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createCsr, generateKey, TrustError, verifyCsr } from '#trust';

const refusal = (code: string) => (error: unknown) => error instanceof TrustError && error.code === code;

test('a request is verified to the key that made it', async () => {
  const key = await generateKey();
  for (const csr of [createCsr(key), createCsr(key.privateKey, { uri: 'spiffe://td/ns/a/sa/b' })])
    assert.ok(verifyCsr(csr).publicKey.equals(key.publicKey));
});

test('a request that was changed anywhere, or signed by another key, is refused', async () => {
  const csr = createCsr(await generateKey());
  const der = Buffer.from(csr.replaceAll(/-----[^-]+-----|\n/g, ''), 'base64');
  const wrap = (body: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${body.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  assert.ok(verifyCsr(wrap(der)));
  for (let i = 0; i < der.length; i++) {
    const changed = Buffer.from(der);
    changed[i] = (changed[i] ?? 0) ^ 0x01;
    assert.throws(() => verifyCsr(wrap(changed)), TrustError, `byte ${i}`);
  }
  for (let length = 0; length < der.length; length += 7)
    assert.throws(() => verifyCsr(wrap(der.subarray(0, length))), TrustError);
});

test('only ECDSA P-256 keys are accepted', () => {
  for (const { privateKey } of [
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ])
    assert.throws(() => verifyCsr(createCsr(privateKey)), refusal('NM_TRUST_KEY_TYPE'));
});

test('garbage, nothing, too much, and several requests are refused', async () => {
  const csr = createCsr(await generateKey());
  for (const bad of ['', 'garbage', csr + csr, csr.repeat(100), csr.replace('REQUEST', 'REQUES')])
    assert.throws(() => verifyCsr(bad), refusal('NM_TRUST_CSR'));
});
