/** An authority that the configuration gives: a root with its key, or an intermediate with the chain up to its root. */

import type { TrustState } from '#api';
import { Cell } from '#base/watch.ts';
import { certificatePem, parseCertificates, readPrivateKey } from '#trust';
import type { Authority, AuthorityStatus, RootStatus } from './authority.ts';
import { CaError } from './errors.ts';

export interface GivenAuthorityOptions {
  trustDomain: string;
  /**
   * PEM: the certificate of the key first, then its chain. Self-signed certificates among them are the roots that
   * everyone trusts; further roots, as during a rotation, may follow.
   */
  certificates: string;
  /** PEM, ECDSA P-256. */
  key: string;
}

/** @throws CaError NM_CA_CONFIG, TrustError */
export function givenAuthority({ trustDomain, certificates, key }: GivenAuthorityOptions): Authority {
  const privateKey = readPrivateKey(key);
  const chain = parseCertificates(certificates);
  const [own] = chain;
  if (own === undefined || !own.checkPrivateKey(privateKey))
    throw misfit('the first certificate does not belong to the key', 'Put the certificate of the key first.');
  const strange = chain.find(certificate => !certificate.ca);
  if (strange !== undefined)
    throw misfit(`${strange.subject ?? 'a certificate without a name'} is no authority`, 'Leave it out.');
  const roots = chain.filter(
    certificate => certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey),
  );
  if (roots.length === 0)
    throw misfit('no root is among the certificates', 'Append the self-signed root that the chain leads to.');
  const between = chain.filter(certificate => !roots.includes(certificate));
  const top = between.at(-1);
  for (const [i, certificate] of between.entries()) {
    const above = between[i + 1] ?? roots.find(root => certificate.checkIssued(root));
    if (above === undefined || !certificate.checkIssued(above) || !certificate.verify(above.publicKey))
      throw misfit(
        `${certificate.subject} is not issued by the next certificate`,
        'Order them from the key upwards.',
      );
  }
  if (top !== undefined && roots.includes(own))
    throw misfit('the key belongs to a root, but intermediates follow', 'Leave the intermediates out.');
  const trust = new Cell<TrustState>({ trustDomain, roots: roots.map(certificatePem) });
  const status: AuthorityStatus = {
    trustDomain,
    kind: 'given',
    roots: roots.map(
      (root): RootStatus => ({
        subject: root.subject,
        fingerprint: root.fingerprint256,
        phase: root === own || own.checkIssued(root) ? 'signing' : 'trusted',
        phaseEndsAt: undefined,
        notAfter: root.validToDate.getTime(),
      }),
    ),
  };
  return {
    trust,
    signing: {
      issuer: { certPem: certificatePem(own), privateKey },
      intermediates: between.map(certificatePem).join(''),
      notAfter: Math.min(...[own, ...between].map(({ validToDate }) => validToDate.getTime())),
    },
    status: () => status,
    rotate: async () => {
      throw new CaError(
        'NM_CA_ROTATION',
        'the root is given by the configuration',
        "Append the new root to the file 'rootCert' and restart; later put the new certificate first, with its key.",
        { by: 'client' },
      );
    },
    close: () => {},
  };
}

function misfit(why: string, next: string): CaError {
  return new CaError('NM_CA_CONFIG', `rootCert and rootKey can not be used: ${why}`, next);
}
