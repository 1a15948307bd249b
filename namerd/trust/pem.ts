/** PEM as RFC 7468 has it: text around blocks is ignored, what is inside must be whole. */

import { X509Certificate } from 'node:crypto';
import { messageOf } from '#base/errors.ts';
import { TrustError } from './errors.ts';

/** More text than any bundle or chain of ours; parsing more would be a way to stall us. */
const MAX_PEM = 1024 * 1024;
const BOUNDARY = /-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----/g;
const BASE64 = /^[A-Za-z0-9+/=\s]*$/;

/** The bodies of all blocks with this label. One pass: a text of half boundaries must not cost a search for each. */
export function pemBodies(text: string, label: string): Buffer[] {
  if (text.length > MAX_PEM) throw new TrustError('NM_TRUST_PEM', `more than ${MAX_PEM} characters of PEM`);
  const bodies: Buffer[] = [];
  let start: number | undefined;
  for (const { 0: boundary, 1: edge, 2: found, index } of text.matchAll(BOUNDARY)) {
    const begun = start;
    start = edge === 'BEGIN' && found === label ? index + boundary.length : undefined;
    if (edge !== 'END' || found !== label || begun === undefined) continue;
    const body = text.slice(begun, index);
    if (BASE64.test(body)) bodies.push(Buffer.from(body, 'base64'));
  }
  return bodies;
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** All certificates of a text, in its order. @throws TrustError NM_TRUST_PEM when there is none or one is malformed. */
export function parseCertificates(pem: string): X509Certificate[] {
  const bodies = pemBodies(pem, 'CERTIFICATE');
  if (bodies.length === 0) throw new TrustError('NM_TRUST_PEM', 'no PEM certificate found');
  return bodies.map((body, i) => {
    try {
      const certificate = new X509Certificate(body);
      if (certificate.raw.length === body.length) return certificate;
    } catch (cause) {
      throw malformed(i, messageOf(cause), cause);
    }
    throw malformed(i, 'something follows it');
  });
}

function malformed(i: number, why: string, cause?: unknown): TrustError {
  return new TrustError('NM_TRUST_PEM', `certificate ${i + 1} is malformed: ${why}`, { cause });
}

/** The canonical PEM of each certificate in a text. */
export function splitPem(pem: string): string[] {
  return parseCertificates(pem).map(certificatePem);
}

export function certificatePem(certificate: X509Certificate): string {
  return toPem('CERTIFICATE', certificate.raw);
}
