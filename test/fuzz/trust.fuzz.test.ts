/** Certificates, requests and PEM from anybody: every input is either accepted or a TrustError. Bounded. */

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCsr, generateKey, spiffeOf, splitPem, TrustError, verifyChain, verifyCsr } from '#trust';
import { intermediate, leaf, NOW, rootAuthority } from '../lib/authority.ts';

const root = await rootAuthority();
const middle = await intermediate(root);
const chain = (await leaf(middle)).certPem + middle.certPem;
const csr = createCsr(await generateKey(), { uri: 'spiffe://mesh.test/ns/a/sa/b' });

const body = (pem: string) => Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
const wrap = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;

/** Some bytes changed, some cut out, some put in. */
const damage = fc.array(
  fc.record({
    at: fc.nat(2000),
    change: fc.constantFrom('flip', 'cut', 'insert'),
    byte: fc.nat(255),
    length: fc.integer({ min: 1, max: 20 }),
  }),
  { minLength: 1, maxLength: 4 },
);

function damaged(
  der: Buffer,
  changes: readonly { at: number; change: string; byte: number; length: number }[],
): Buffer {
  let bytes = Buffer.from(der);
  for (const { at, change, byte, length } of changes) {
    const place = at % (bytes.length + 1);
    if (change === 'flip' && place < bytes.length) bytes[place] = (bytes[place] ?? 0) ^ (byte || 1);
    if (change === 'cut') bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + length)]);
    if (change === 'insert')
      bytes = Buffer.concat([bytes.subarray(0, place), Buffer.alloc(length, byte), bytes.subarray(place)]);
  }
  return bytes;
}

function accepted(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    assert.ok(error instanceof TrustError, String(error));
    return false;
  }
}

test('a damaged request is refused, whatever the damage', () => {
  const der = body(csr);
  fc.assert(
    fc.property(damage, changes => {
      const bytes = damaged(der, changes);
      // Bytes after the end of the outermost value do not belong to it; everything within is signed or the signature.
      if (!bytes.equals(der))
        assert.equal(
          accepted(() => verifyCsr(wrap('CERTIFICATE REQUEST', bytes))),
          false,
        );
    }),
    { numRuns: 3000 },
  );
});

test('a damaged leaf is never accepted as another identity', () => {
  const [leafPem = '', middlePem = ''] = splitPem(chain);
  const der = body(leafPem);
  fc.assert(
    fc.property(damage, changes => {
      const pem = wrap('CERTIFICATE', damaged(der, changes)) + middlePem;
      if (accepted(() => verifyChain(pem, [root.certPem], NOW)))
        assert.ok(new X509Certificate(pem).fingerprint256 === new X509Certificate(leafPem).fingerprint256);
    }),
    { numRuns: 2000 },
  );
});

test('a damaged authority is refused or means the same', () => {
  const [leafPem = '', middlePem = ''] = splitPem(chain);
  const der = body(middlePem);
  fc.assert(
    fc.property(damage, changes => {
      const pem = leafPem + wrap('CERTIFICATE', damaged(der, changes));
      if (accepted(() => verifyChain(pem, [root.certPem], NOW)))
        assert.equal(
          spiffeOf(verifyChain(pem, [root.certPem], NOW).leaf),
          'spiffe://mesh.test/ns/shop/sa/cart',
        );
    }),
    { numRuns: 1000 },
  );
});

test('any text is PEM or refused', () => {
  const piece = fc.constantFrom(
    '-----BEGIN CERTIFICATE-----',
    '-----END CERTIFICATE-----',
    '\n',
    'MIIB',
    '====',
    ' ',
    'x',
    '-----BEGIN CERTIFICATE REQUEST-----',
    '-----END CERTIFICATE REQUEST-----',
    '\u0000',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
      const text = pieces.join('');
      accepted(() => splitPem(text));
      accepted(() => verifyCsr(text));
      accepted(() => verifyChain(text, [text], NOW));
    }),
    { numRuns: 2000 },
  );
});

test('a text made to be slow is refused in time', () => {
  const hostile = `${'-----BEGIN CERTIFICATE-----\n'.repeat(30_000)}`;
  const began = performance.now();
  assert.equal(
    accepted(() => splitPem(hostile)),
    false,
  );
  assert.equal(
    accepted(() => splitPem(`-----BEGIN CERTIFICATE-----${' '.repeat(500_000)}`)),
    false,
  );
  assert.ok(performance.now() - began < 2000);
});
