/** Who is who: SPIFFE ids, keys, certificate requests, certificates and roots. Pure: no files, no clock, no sockets. */

export { mergeRoots, renewAtMs, type TrustBundle, trustBundle } from './bundle.ts';
export { createCsr, verifyCsr } from './csr.ts';
export { TrustError, type TrustReason } from './errors.ts';
export { type CertificateOrder, type Issuer, issueCertificate } from './issue.ts';
export { generateKey, isP256, type KeyPair, readPrivateKey } from './keys.ts';
export { certificatePem, parseCertificates, splitPem } from './pem.ts';
export {
  isSpiffeSegment,
  isTrustDomain,
  namerdId,
  nodeId,
  parseSpiffe,
  type SpiffeId,
  tryParseSpiffe,
  workloadId,
} from './spiffe.ts';
export { spiffeOf, verifyChain, verifyPeer } from './verify.ts';
