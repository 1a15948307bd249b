/**
 * A certificate is looked at before it is used: a wrong one would break every handshake of its identity, while the one
 * before may still be good.
 */

import type { KeyObject } from 'node:crypto';
import { MeshError } from '#base/errors.ts';
import { verifyChain } from '#trust';

export class UnfitCertificate extends MeshError {
  constructor(identity: string, why: string) {
    super('NM_CERTIFICATE_UNFIT', `namerd issued a certificate for ${identity} that ${why}`, {
      by: 'mesh',
      next: 'Nothing, if the next one is right; else see the log of namerd and its CA directory.',
    });
  }
}

/** @throws TrustError if no root vouches for it now, UnfitCertificate if it is for another key or identity. */
export function verifyIssued(
  chainPem: string,
  wanted: { identity: string; publicKey: KeyObject; roots: readonly string[]; atMs: number },
): void {
  const { identity, publicKey, roots, atMs } = wanted;
  const { leaf, uri } = verifyChain(chainPem, roots, atMs);
  if (uri !== identity) throw new UnfitCertificate(identity, `is of ${uri}`);
  if (!leaf.publicKey.equals(publicKey)) throw new UnfitCertificate(identity, 'is for another key');
}
