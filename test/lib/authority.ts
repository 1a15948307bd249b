/** A small authority for tests. */

import { generateKey, type Issuer, issueCertificate, type KeyPair, workloadId } from '#trust';

export const HOUR = 3_600_000;
export const NOW = Date.UTC(2026, 5, 1, 12);

export interface Authority extends Issuer {
  key: KeyPair;
}

export async function rootAuthority(
  options: { from?: number; to?: number; pathLength?: number } = {},
): Promise<Authority> {
  const key = await generateKey();
  const certPem = issueCertificate({
    issuer: 'self',
    privateKey: key.privateKey,
    ca: { pathLength: options.pathLength ?? 1 },
    notBefore: options.from ?? NOW - HOUR,
    notAfter: options.to ?? NOW + 1000 * HOUR,
  });
  return { certPem, privateKey: key.privateKey, key };
}

export async function intermediate(
  parent: Authority,
  { pathLength = 0, from = NOW - HOUR, to = NOW + 500 * HOUR } = {},
): Promise<Authority> {
  const key = await generateKey();
  const certPem = issueCertificate({
    issuer: parent,
    publicKey: key.publicKey,
    ca: { pathLength },
    notBefore: from,
    notAfter: to,
  });
  return { certPem, privateKey: key.privateKey, key };
}

export interface Leaf {
  key: KeyPair;
  certPem: string;
}

export async function leaf(
  issuer: Issuer,
  options: { uri?: string; from?: number; to?: number } = {},
): Promise<Leaf> {
  const key = await generateKey();
  const certPem = issueCertificate({
    issuer,
    publicKey: key.publicKey,
    uri: options.uri ?? workloadId('mesh.test', 'shop', 'cart'),
    notBefore: options.from ?? NOW - HOUR,
    notAfter: options.to ?? NOW + 24 * HOUR,
  });
  return { key, certPem };
}
