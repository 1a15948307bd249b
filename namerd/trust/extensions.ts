/** The X.509 extensions (RFC 5280 §4.2) that certificates of the mesh carry, and reading them back. */

import type { X509Certificate } from 'node:crypto';
import {
  bits,
  bool,
  content,
  type Der,
  isBoolean,
  isTagged,
  OID,
  octets,
  oid,
  oidText,
  parts,
  readDer,
  sequence,
  smallInteger,
  tagged,
  wrapped,
  writeDer,
} from './der.ts';

function extension(id: string, value: Der, { critical = false } = {}): Der {
  return sequence(oid(id), ...(critical ? [bool(true)] : []), octets(writeDer(value)));
}

/** One URI. Critical where the subject is empty (RFC 5280 §4.2.1.6). */
export function subjectAltName(uri: string, options: { critical: boolean }): Der {
  return extension(OID.subjectAltName, sequence(tagged(6, uri)), options);
}

/** @param pathLength how many further authorities may follow; undefined: any number. */
export function authorityConstraints(pathLength: number | undefined): Der {
  const limit = pathLength === undefined ? [] : [smallInteger(pathLength)];
  return extension(OID.basicConstraints, sequence(bool(true), ...limit), { critical: true });
}

export function leafConstraints(): Der {
  return extension(OID.basicConstraints, sequence(), { critical: true });
}

/** keyCertSign and cRLSign. */
export function authorityUsage(): Der {
  return extension(OID.keyUsage, bits(Uint8Array.of(0b0000_0110), 1), { critical: true });
}

/** digitalSignature, and both ends of TLS: in a mesh every workload is client and server. */
export function leafUsage(): Der[] {
  return [
    extension(OID.keyUsage, bits(Uint8Array.of(0b1000_0000), 7), { critical: true }),
    extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
  ];
}

/** @param authority the issuer's key identifier, when it has one. */
export function keyIdentifiers(own: Uint8Array, authority: Uint8Array | undefined): Der[] {
  const subject = extension(OID.subjectKeyIdentifier, octets(own));
  if (authority === undefined) return [subject];
  const issuer = tagged(0, Buffer.from(authority).toString('latin1'));
  return [subject, extension(OID.authorityKeyIdentifier, sequence(issuer))];
}

/** What the checks need of a certificate beyond what node:crypto tells. */
export interface CertificateFacts {
  /** DER of the subject's name. */
  subject: Buffer;
  /** The subject's key identifier, when it is named. */
  keyIdentifier: Uint8Array | undefined;
  /** How many authorities may follow below this one. */
  pathLength: number;
  /** Undefined: the extension is absent, all usages are allowed. */
  usage: { digitalSignature: boolean; certificateSigning: boolean } | undefined;
  /** OIDs of critical extensions that we do not process: such a certificate must be refused (RFC 5280 §4.2). */
  unknownCritical: readonly string[];
}

const PROCESSED: ReadonlySet<string> = new Set([
  OID.subjectAltName,
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
]);

/** @throws Error when the certificate is no well-formed DER. */
export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  const [tbs] = parts(readDer(certificate.raw));
  // [0] version (absent in version 1), serial, algorithm, issuer, validity, subject, key, …
  const fields = parts(tbs);
  const subject = fields[isTagged(fields[0], 0) ? 5 : 4];
  if (subject === undefined) throw new Error('a certificate without a subject field');
  const facts: CertificateFacts = {
    subject: writeDer(subject),
    keyIdentifier: undefined,
    pathLength: Number.POSITIVE_INFINITY,
    usage: undefined,
    unknownCritical: [],
  };
  const list = parts(wrapped(fields.find(field => isTagged(field, 3))));
  for (const item of list) readExtension(item, facts);
  return facts;
}

function readExtension(item: Der, facts: CertificateFacts): void {
  const [id, second, third] = parts(item);
  const critical = isBoolean(second) && content(second)[0] !== 0;
  const value = content(isBoolean(second) ? third : second);
  switch (oidText(id)) {
    case OID.basicConstraints: {
      const limit = parts(readDer(value))[1];
      if (limit !== undefined) facts.pathLength = content(limit).readIntBE(0, content(limit).length);
      return;
    }
    case OID.keyUsage: {
      const flags = content(readDer(value))[1] ?? 0;
      facts.usage = {
        digitalSignature: (flags & 0b1000_0000) !== 0,
        certificateSigning: (flags & 0b0000_0100) !== 0,
      };
      return;
    }
    case OID.subjectKeyIdentifier:
      facts.keyIdentifier = content(readDer(value));
      return;
  }
  if (critical && !PROCESSED.has(oidText(id)))
    facts.unknownCritical = [...facts.unknownCritical, oidText(id)];
}
