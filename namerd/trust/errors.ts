/** What can be wrong with an identity, a key, a request or a certificate. */

import { type Culprit, MeshError } from '#base/errors.ts';

const NEXT: Readonly<Record<TrustReason, string>> = {
  NM_TRUST_SPIFFE: 'Identities look like spiffe://<trust domain>/ns/<namespace>/sa/<service account>.',
  NM_TRUST_PEM: 'Check that the text holds complete PEM certificates.',
  NM_TRUST_CSR: 'Send a PEM PKCS#10 request, signed by its own key.',
  NM_TRUST_KEY_TYPE: 'Use an ECDSA P-256 key.',
  NM_TRUST_CERTIFICATE: 'The certificate is malformed or not meant for this use: have it issued again.',
  NM_TRUST_TIME: 'Compare the clocks of both sides, and check that renewal works.',
  NM_TRUST_CHAIN: 'Compare the roots that this side trusts with the authority that issued the certificate.',
  NM_TRUST_DOMAIN: 'Both sides must belong to the same trust domain.',
  NM_TRUST_IDENTITY: 'Something else answers at this address than expected.',
};

export type TrustReason =
  | 'NM_TRUST_SPIFFE'
  | 'NM_TRUST_PEM'
  | 'NM_TRUST_CSR'
  | 'NM_TRUST_KEY_TYPE'
  | 'NM_TRUST_CERTIFICATE'
  | 'NM_TRUST_TIME'
  | 'NM_TRUST_CHAIN'
  | 'NM_TRUST_DOMAIN'
  | 'NM_TRUST_IDENTITY';

export class TrustError extends MeshError {
  constructor(
    reason: TrustReason,
    message: string,
    { by = 'client' as Culprit, cause = undefined as unknown } = {},
  ) {
    super(reason, message, { by, next: NEXT[reason], cause });
  }
}
