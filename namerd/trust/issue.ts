/**
 * Issuing certificates. node-forge shapes the ASN.1, node:crypto signs: node-forge has no ECDSA, and a native
 * signature is what makes an issue cost a fraction of a millisecond.
 */

import { type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { messageOf } from '#base/errors.ts';
import {
  bits,
  type Der,
  integer,
  OID,
  oid,
  readDer,
  sequence,
  set,
  smallInteger,
  tagged,
  time,
  utf8,
  writeDer,
} from './der.ts';
import { TrustError } from './errors.ts';
import {
  authorityConstraints,
  authorityUsage,
  certificateFacts,
  keyIdentifiers,
  leafConstraints,
  leafUsage,
  subjectAltName,
} from './extensions.ts';
import { assertP256, keyIdentifier, publicKeyOf, spki } from './keys.ts';
import { toPem } from './pem.ts';
import { parseSpiffe } from './spiffe.ts';

export interface Issuer {
  /** PEM of the issuing authority's own certificate. */
  certPem: string;
  privateKey: KeyObject;
}

interface Wanted {
  /** A SPIFFE id. With it the subject stays empty. */
  uri?: string;
  /** Makes an authority. `pathLength` limits the authorities below it (default: none may follow). */
  ca?: boolean | { pathLength?: number };
  /** Subject of an authority; by default named after its key. */
  commonName?: string;
  /** Milliseconds since the epoch, cut to seconds. */
  notBefore: number;
  notAfter: number;
  /** Positive, big endian, at most 20 bytes; 16 random bytes by default. */
  serial?: Uint8Array;
}

/** An issued certificate, or, with `issuer: 'self'`, one that its own `privateKey` signs. */
export type CertificateOrder =
  | (Wanted & { issuer: Issuer; publicKey: KeyObject })
  | (Wanted & { issuer: 'self'; privateKey: KeyObject; publicKey?: KeyObject });

/** PEM of a new certificate. @throws TrustError when the order can't be met (key type, identity, validity). */
export function issueCertificate(order: CertificateOrder): string {
  const publicKey = order.issuer === 'self' ? publicKeyOf(order.privateKey) : order.publicKey;
  assertP256(publicKey);
  if (!(order.notAfter > order.notBefore))
    throw new TrustError('NM_TRUST_TIME', 'a certificate must end after it begins', { by: 'mesh' });
  const ownIdentifier = keyIdentifier(publicKey);
  const subject = nameOf(order, ownIdentifier);
  const signer = order.issuer === 'self' ? undefined : signerOf(order.issuer);
  const signingKey = order.issuer === 'self' ? order.privateKey : order.issuer.privateKey;
  const algorithm = sequence(oid(OID.ecdsaSha256));
  const tbs = sequence(
    tagged(0, [smallInteger(2)]),
    integer(order.serial ?? randomSerial()),
    algorithm,
    signer === undefined ? subject : signer.name,
    sequence(time(order.notBefore), time(order.notAfter)),
    subject,
    readDer(spki(publicKey)),
    tagged(3, [
      sequence(
        ...extensionsOf(order),
        ...keyIdentifiers(ownIdentifier, signer === undefined ? ownIdentifier : signer.keyIdentifier),
      ),
    ]),
  );
  const signature = sign('sha256', writeDer(tbs), signingKey);
  return toPem('CERTIFICATE', writeDer(sequence(tbs, algorithm, bits(signature))));
}

/** Random, and unpredictable enough that nobody can prepare a collision: 126 bits, always positive, always 16 bytes. */
export function randomSerial(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function extensionsOf({ uri, ca = false }: Wanted): Der[] {
  const san = uri === undefined ? [] : [subjectAltName(parseSpiffe(uri).text, { critical: ca === false })];
  if (ca === false) return [leafConstraints(), ...leafUsage(), ...san];
  return [authorityConstraints(ca === true ? 0 : ca.pathLength), authorityUsage(), ...san];
}

/** Leaves have no name beside their URI; an authority must have one (RFC 5280 §4.1.2.6). */
function nameOf({ ca = false, commonName, uri }: Wanted, identifier: Buffer): Der {
  const name =
    commonName ?? (ca === false ? undefined : `nodemesh authority ${identifier.toString('hex', 0, 6)}`);
  if (name === undefined && uri === undefined)
    throw new TrustError('NM_TRUST_CERTIFICATE', 'a certificate needs an identity or a name', { by: 'mesh' });
  return name === undefined ? sequence() : sequence(set(sequence(oid(OID.commonName), utf8(name))));
}

interface Signer {
  name: Der;
  keyIdentifier: Uint8Array | undefined;
}

/** An issuer signs many certificates; its own is read once. */
const signers = new WeakMap<Issuer, Signer>();

function signerOf(issuer: Issuer): Signer {
  const known = signers.get(issuer);
  if (known !== undefined) return known;
  const certificate = authorityCertificate(issuer);
  const { subject, keyIdentifier } = certificateFacts(certificate);
  const signer = { name: readDer(subject), keyIdentifier };
  signers.set(issuer, signer);
  return signer;
}

function authorityCertificate({ certPem, privateKey }: Issuer): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certPem);
  } catch (cause) {
    const message = `the authority's certificate is unreadable: ${messageOf(cause)}`;
    throw new TrustError('NM_TRUST_PEM', message, { by: 'config', cause });
  }
  assertP256(privateKey);
  if (!certificate.ca || !certificate.checkPrivateKey(privateKey))
    throw new TrustError(
      'NM_TRUST_CERTIFICATE',
      certificate.ca ? 'the key does not belong to the authority' : 'the issuing certificate is no authority',
      { by: 'config' },
    );
  return certificate;
}
