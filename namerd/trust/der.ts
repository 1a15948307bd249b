/**
 * DER as small functions over node-forge's ASN.1 layer. Reading is strict and bounded; whatever is read and
 * written again comes out as the same bytes or fails its signature, so leniency can't be exploited.
 */

import type forge from 'node-forge';
import asn1 from 'node-forge/lib/asn1.js';

export type Der = forge.asn1.Asn1;

const { Class, Type } = asn1;
/** Deep enough for certificates; nested input beyond it is refused instead of filling the stack. */
const MAX_DEPTH = 32;

export const OID = {
  commonName: '2.5.4.3',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  extensionRequest: '1.2.840.113549.1.9.14',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

const of = (type: forge.asn1.Type, constructed: boolean, value: string | Der[]): Der =>
  asn1.create(Class.UNIVERSAL, type, constructed, value);
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export const sequence = (...items: Der[]): Der => of(Type.SEQUENCE, true, items);
export const set = (...items: Der[]): Der => of(Type.SET, true, items);
export const oid = (dotted: string): Der => of(Type.OID, false, asn1.oidToDer(dotted).getBytes());
export const bool = (value: boolean): Der => of(Type.BOOLEAN, false, value ? '\xff' : '\x00');
/** Non-negative, at most 127. */
export const smallInteger = (value: number): Der => of(Type.INTEGER, false, String.fromCharCode(value));
/** Two's complement, big endian, without needless leading bytes. */
export const integer = (bytes: Uint8Array): Der => of(Type.INTEGER, false, binary(bytes));
export const octets = (bytes: Uint8Array): Der => of(Type.OCTETSTRING, false, binary(bytes));
/** @param unused how many low bits of the last byte mean nothing. */
export const bits = (bytes: Uint8Array, unused = 0): Der =>
  of(Type.BITSTRING, false, String.fromCharCode(unused) + binary(bytes));
export const utf8 = (text: string): Der => of(Type.UTF8, false, Buffer.from(text).toString('latin1'));
export const tagged = (tag: number, value: string | Der[]): Der =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, typeof value !== 'string', value);

/** Whole seconds: UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
export function time(ms: number): Der {
  const date = new Date(Math.floor(ms / 1000) * 1000);
  return date.getUTCFullYear() < 2050
    ? of(Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : of(Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date));
}

/** @throws Error when the bytes are no DER. */
export function readDer(bytes: Uint8Array): Der {
  return asn1.fromDer(binary(bytes), {
    strict: true,
    parseAllBytes: true,
    decodeBitStrings: false,
    maxDepth: MAX_DEPTH,
  });
}

export function writeDer(der: Der): Buffer {
  return Buffer.from(asn1.toDer(der).getBytes(), 'latin1');
}

/** The parts of a SEQUENCE; none when it is anything else. */
export function parts(der: Der | undefined): readonly Der[] {
  const isSequence = der?.tagClass === Class.UNIVERSAL && der.type === Type.SEQUENCE;
  return isSequence && Array.isArray(der.value) ? der.value : [];
}

/** What is wrapped in a context tag. */
export function wrapped(der: Der | undefined): Der | undefined {
  const isContext = der?.tagClass === Class.CONTEXT_SPECIFIC;
  return isContext && Array.isArray(der.value) ? der.value[0] : undefined;
}

/** The content bytes of a primitive value; none when it is constructed. */
export function content(der: Der | undefined): Buffer {
  return typeof der?.value === 'string' ? Buffer.from(der.value, 'latin1') : Buffer.alloc(0);
}

/** The bytes of a BIT STRING of whole bytes, such as a signature; undefined when it is anything else. */
export function wholeBits(der: Der | undefined): Buffer | undefined {
  if (der?.tagClass !== Class.UNIVERSAL || der.type !== Type.BITSTRING) return undefined;
  const bytes = content(der);
  return bytes[0] === 0 ? bytes.subarray(1) : undefined;
}

/** Dotted text of an OID value, or '' when it is something else. */
export function oidText(der: Der | undefined): string {
  if (der?.type !== Type.OID || der.tagClass !== Class.UNIVERSAL || typeof der.value !== 'string') return '';
  return asn1.derToOid(der.value as unknown as forge.util.ByteBuffer);
}

export function isTagged(der: Der | undefined, tag: number): der is Der {
  return der?.tagClass === Class.CONTEXT_SPECIFIC && Number(der.type) === tag;
}

export function isBoolean(der: Der | undefined): der is Der {
  return der?.tagClass === Class.UNIVERSAL && der.type === Type.BOOLEAN;
}
