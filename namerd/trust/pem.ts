/** PEM as RFC 7468 has it: text around blocks is ignored, what is inside must be whole. */

import { X509Certificate } from 'node:crypto';
import { messageOf } from '#base/errors.ts';
import { TrustError } from './errors.ts';

/** More text than any bundle or chain of ours; parsing more would be a way to stall us. */
const MAX_PEM = 1024 * 1024;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]*?)\s*-----END \1-----/g;

/** The bodies of all blocks with this label. */
export function pemBodies(text: string, label: string): Buffer[] {
  if (text.length > MAX_PEM) throw new TrustError('NM_TRUST_PEM', `more than ${MAX_PEM} characters of PEM`);
  const bodies: Buffer[] = [];
  for (const [, found, body = ''] of text.matchAll(BLOCK))
    if (found === label) bodies.push(Buffer.from(body, 'base64'));
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
      return new X509Certificate(body);
    } catch (cause) {
      throw new TrustError('NM_TRUST_PEM', `certificate ${i + 1} is malformed: ${messageOf(cause)}`, {
        cause,
      });
    }
  });
}

/** The canonical PEM of each certificate in a text. */
export function splitPem(pem: string): string[] {
  return parseCertificates(pem).map(certificatePem);
}

export function certificatePem(certificate: X509Certificate): string {
  return toPem('CERTIFICATE', certificate.raw);
}
