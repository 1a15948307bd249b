/**
 * Versions of stored documents: an 8-byte big-endian counter from 1 (as in Linkerd's in-memory store, so the
 * first ETag is `AAAAAAAAAAE=`), followed in files by 8 bytes of a digest of the content. The digest makes an
 * edit by hand a version of its own, without anybody rewriting the file.
 */

import { createHash } from 'node:crypto';

const COUNTER_BYTES = 8;
const DIGEST_BYTES = 8;

export interface Version {
  counter: number;
  /** Empty, or DIGEST_BYTES bytes as lower-case hexadecimal. */
  digest: string;
}

export function formatVersion({ counter, digest }: Version): string {
  const bytes = Buffer.alloc(COUNTER_BYTES);
  bytes.writeBigUInt64BE(BigInt(counter));
  return Buffer.concat([bytes, Buffer.from(digest, 'hex')]).toString('base64');
}

/** Undefined if the text is no version that {@link formatVersion} has written. */
export function parseVersion(text: string): Version | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return undefined;
  if (bytes.length !== COUNTER_BYTES && bytes.length !== COUNTER_BYTES + DIGEST_BYTES) return undefined;
  const counter = bytes.readBigUInt64BE();
  if (counter > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { counter: Number(counter), digest: bytes.subarray(COUNTER_BYTES).toString('hex') };
}

/** The digest of a document's content (without its version). */
export function contentDigest(content: string): string {
  return createHash('sha256')
    .update(content)
    .digest('hex')
    .slice(0, DIGEST_BYTES * 2);
}
