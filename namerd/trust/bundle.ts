/** The roots that are accepted now: several while one replaces another. Immutable; a change is a new bundle. */

import type { X509Certificate } from 'node:crypto';
import { TrustError } from './errors.ts';
import { certificatePem, parseCertificates } from './pem.ts';
import { isTrustDomain } from './spiffe.ts';

export interface TrustBundle {
  readonly trustDomain: string;
  /** PEM, one certificate each, without duplicates. */
  readonly roots: readonly string[];
}

/** More roots than any rotation needs; each costs time in every handshake. */
const MAX_ROOTS = 32;

/**
 * @param pem any number of texts with any number of root certificates.
 * @throws TrustError NM_TRUST_SPIFFE, NM_TRUST_PEM, NM_TRUST_CERTIFICATE (one is no authority), NM_TRUST_CHAIN (too many)
 */
export function trustBundle(trustDomain: string, pem: string | readonly string[]): TrustBundle {
  if (!isTrustDomain(trustDomain))
    throw new TrustError('NM_TRUST_SPIFFE', `'${trustDomain}' is no trust domain`, { by: 'config' });
  return { trustDomain, roots: mergeRoots(typeof pem === 'string' ? [pem] : pem, []) };
}

/** Both lists without duplicates, `a` first; equal certificates have equal text afterwards. */
export function mergeRoots(a: readonly string[], b: readonly string[]): string[] {
  const merged = new Map<string, X509Certificate>();
  for (const text of [...a, ...b])
    for (const root of parseCertificates(text)) {
      if (!root.ca)
        throw new TrustError('NM_TRUST_CERTIFICATE', `a root is no authority: ${root.subject}`, {
          by: 'config',
        });
      merged.set(root.fingerprint256, root);
    }
  if (merged.size > MAX_ROOTS)
    throw new TrustError('NM_TRUST_CHAIN', `more than ${MAX_ROOTS} roots`, { by: 'config' });
  return [...merged.values()].map(certificatePem);
}

/** Half of the lifetime: early enough that a long outage of the authority passes unnoticed. */
export function renewAtMs(notBefore: number, notAfter: number): number {
  return notBefore + (notAfter - notBefore) / 2;
}
