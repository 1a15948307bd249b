/** Verifying a chain outside of TLS, and telling whose certificate it is. Every refusal says which check failed. */

import type { X509Certificate } from 'node:crypto';
import { messageOf } from '#base/errors.ts';
import { OID } from './der.ts';
import { TrustError } from './errors.ts';
import { type CertificateFacts, certificateFacts } from './extensions.ts';
import { parseCertificates } from './pem.ts';
import { parseSpiffe, type SpiffeId, tryParseSpiffe } from './spiffe.ts';

/** Longest chain that is looked at, leaf included. */
const MAX_CHAIN = 8;

/**
 * @param chainPem leaf first; the rest in any order.
 * @param roots PEM certificates, any number in each.
 * @param atMs the moment at which all certificates must be valid, milliseconds since the epoch.
 * @throws TrustError NM_TRUST_PEM, NM_TRUST_CHAIN, NM_TRUST_TIME, NM_TRUST_CERTIFICATE
 */
export function verifyChain(
  chainPem: string,
  roots: readonly string[],
  atMs: number,
): { leaf: X509Certificate; uri: string } {
  const [leaf, ...others] = parseCertificates(chainPem);
  if (leaf === undefined) throw new TrustError('NM_TRUST_PEM', 'the chain is empty');
  if (others.length >= MAX_CHAIN)
    throw new TrustError('NM_TRUST_CHAIN', `the chain has more than ${MAX_CHAIN} certificates`);
  const trusted = roots.flatMap(root => parseCertificates(root));
  checkLeaf(leaf);
  checkTime(leaf, atMs);
  climb(leaf, others, trusted, atMs, 0);
  const uri = spiffeOf(leaf);
  if (uri === undefined)
    throw new TrustError(
      'NM_TRUST_CERTIFICATE',
      `the certificate has no single SPIFFE id: ${alternatives(leaf)}`,
    );
  return { leaf, uri };
}

/**
 * The certificate's SPIFFE id: its only URI name, if that is an identity of a mesh. Says nothing about who signed it.
 * X509-SVID §2: a certificate with several URI names has no identity.
 */
export function spiffeOf(certificate: X509Certificate): string | undefined {
  const { subjectAltName } = certificate;
  // node:crypto quotes a name that contains its own separators; no SPIFFE id does, so quotes end the matter.
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const uris = subjectAltName.split(', ').filter(name => name.startsWith('URI:'));
  const [uri, ...more] = uris.map(name => name.slice('URI:'.length));
  return uri !== undefined && more.length === 0 ? tryParseSpiffe(uri)?.text : undefined;
}

/**
 * What is left to check after TLS has verified the chain: the trust domain, and who it is, when that is known.
 * @param anyOf the SPIFFE ids that are expected; undefined when policy decides later.
 * @throws TrustError NM_TRUST_CERTIFICATE, NM_TRUST_DOMAIN, NM_TRUST_IDENTITY
 */
export function verifyPeer(
  certificate: X509Certificate,
  { trustDomain, anyOf }: { trustDomain: string; anyOf?: readonly string[] },
): SpiffeId {
  const uri = spiffeOf(certificate);
  if (uri === undefined)
    throw new TrustError(
      'NM_TRUST_CERTIFICATE',
      `the peer has no single SPIFFE id: ${alternatives(certificate)}`,
    );
  const id = parseSpiffe(uri);
  if (id.trustDomain !== trustDomain)
    throw new TrustError(
      'NM_TRUST_DOMAIN',
      `the peer is ${uri}, but the trust domain here is ${trustDomain}`,
    );
  if (anyOf !== undefined && !anyOf.includes(uri))
    throw new TrustError('NM_TRUST_IDENTITY', `the peer is ${uri}, but ${anyOf.join(' or ')} is expected`);
  return id;
}

/** Depth first over issuers that fit by name and signature; the first way up to a trusted root is enough. */
function climb(
  certificate: X509Certificate,
  others: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  atMs: number,
  authoritiesBelow: number,
): void {
  let refusal: unknown = new TrustError(
    'NM_TRUST_CHAIN',
    `no trusted root has issued the certificate of ${describe(certificate)}`,
  );
  const attempt = (issuer: X509Certificate, next: () => void): boolean => {
    if (!hasIssued(issuer, certificate)) return false;
    try {
      checkAuthority(issuer, authoritiesBelow);
      checkTime(issuer, atMs);
      next();
      return true;
    } catch (error) {
      refusal = error;
      return false;
    }
  };
  for (const root of trusted) if (attempt(root, () => {})) return;
  for (const other of others) {
    const rest = others.filter(one => one !== other);
    if (attempt(other, () => climb(other, rest, trusted, atMs, authoritiesBelow + 1))) return;
  }
  throw refusal;
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function checkLeaf(leaf: X509Certificate): void {
  const { usage } = factsOf(leaf);
  if (leaf.ca) throw unfit(leaf, 'is an authority, not a workload');
  if (usage !== undefined && !usage.digitalSignature) throw unfit(leaf, 'may not sign');
  // For node:crypto `keyUsage` is the extended key usage.
  const uses: readonly string[] | undefined = leaf.keyUsage;
  if (uses !== undefined && !(uses.includes(OID.serverAuth) && uses.includes(OID.clientAuth)))
    throw unfit(leaf, 'is not meant for both ends of TLS');
}

function checkAuthority(issuer: X509Certificate, authoritiesBelow: number): void {
  const { usage, pathLength } = factsOf(issuer);
  if (!issuer.ca || (usage !== undefined && !usage.certificateSigning))
    throw unfit(issuer, 'is no authority');
  if (authoritiesBelow > pathLength)
    throw unfit(issuer, `allows ${pathLength} authorities below itself, not ${authoritiesBelow}`);
}

function checkTime(certificate: X509Certificate, atMs: number): void {
  const { validFromDate, validToDate } = certificate;
  const at = new Date(atMs).toISOString();
  if (atMs < validFromDate.getTime())
    throw new TrustError(
      'NM_TRUST_TIME',
      `${describe(certificate)} is valid from ${validFromDate.toISOString()} on, and it is ${at}`,
    );
  if (atMs > validToDate.getTime())
    throw new TrustError(
      'NM_TRUST_TIME',
      `${describe(certificate)} expired at ${validToDate.toISOString()}, and it is ${at}`,
    );
}

function factsOf(certificate: X509Certificate): CertificateFacts {
  let facts: CertificateFacts;
  try {
    facts = certificateFacts(certificate);
  } catch (cause) {
    throw unfit(certificate, `is malformed: ${messageOf(cause)}`);
  }
  if (facts.unknownCritical.length > 0)
    throw unfit(certificate, `has critical extensions unknown here: ${facts.unknownCritical.join(', ')}`);
  return facts;
}

function unfit(certificate: X509Certificate, why: string): TrustError {
  return new TrustError('NM_TRUST_CERTIFICATE', `${describe(certificate)} ${why}`);
}

function describe(certificate: X509Certificate): string {
  return JSON.stringify(spiffeOf(certificate) ?? certificate.subject?.replaceAll('\n', ', ') ?? 'no subject');
}

function alternatives(certificate: X509Certificate): string {
  return JSON.stringify((certificate.subjectAltName ?? '').slice(0, 200));
}
