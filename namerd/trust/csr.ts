/** Certificate requests, PKCS#10 (RFC 2986). What counts is that the asker holds the key; names in it are ignored. */

import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { messageOf } from '#base/errors.ts';
import {
  bits,
  OID,
  oid,
  oidText,
  parts,
  readDer,
  sequence,
  set,
  smallInteger,
  tagged,
  wholeBits,
  writeDer,
} from './der.ts';
import { TrustError } from './errors.ts';
import { subjectAltName } from './extensions.ts';
import { assertP256, publicKeyOf, spki } from './keys.ts';
import { pemBodies, toPem } from './pem.ts';

const LABEL = 'CERTIFICATE REQUEST';
/** Bytes of PEM; a request of ours has 400. */
const MAX_CSR = 16 * 1024;

/** @param key the private key, or a pair as made by generateKey. @param uri a SPIFFE id to put in, as a hint only. */
export function createCsr(
  key: KeyObject | { privateKey: KeyObject },
  { uri }: { uri?: string } = {},
): string {
  const privateKey = 'privateKey' in key ? key.privateKey : key;
  const wanted =
    uri === undefined
      ? []
      : [sequence(oid(OID.extensionRequest), set(sequence(subjectAltName(uri, { critical: true }))))];
  const info = sequence(
    smallInteger(0),
    sequence(),
    readDer(spki(publicKeyOf(privateKey))),
    tagged(0, wanted),
  );
  const signature = sign('sha256', writeDer(info), privateKey);
  return toPem(LABEL, writeDer(sequence(info, sequence(oid(OID.ecdsaSha256)), bits(signature))));
}

/**
 * The key of a request whose signature holds.
 * @throws TrustError NM_TRUST_CSR (malformed, or signed by another key), NM_TRUST_KEY_TYPE (no ECDSA P-256 key)
 */
export function verifyCsr(pem: string): { publicKey: KeyObject } {
  if (pem.length > MAX_CSR) throw bad(`longer than ${MAX_CSR} characters`);
  const [body, ...more] = pemBodies(pem, LABEL);
  if (body === undefined || more.length > 0) throw bad('exactly one PEM block is expected');
  const { info, key, algorithm, signature } = readRequest(body);
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
  } catch (cause) {
    throw bad(`its key is unreadable: ${messageOf(cause)}`, cause);
  }
  assertP256(publicKey);
  if (algorithm !== OID.ecdsaSha256) throw bad('it is not signed with ECDSA and SHA-256');
  if (!verify('sha256', info, publicKey, signature)) throw bad('its signature does not match its key');
  return { publicKey };
}

function readRequest(body: Buffer): { info: Buffer; key: Buffer; algorithm: string; signature: Buffer } {
  try {
    const [info, algorithm, seal] = parts(readDer(body));
    const signature = wholeBits(seal);
    const [, , key] = parts(info);
    if (info === undefined || key === undefined || signature === undefined)
      throw new Error('parts are missing');
    return {
      info: writeDer(info),
      key: writeDer(key),
      algorithm: oidText(parts(algorithm)[0]),
      signature,
    };
  } catch (cause) {
    throw bad(`it is malformed: ${messageOf(cause)}`, cause);
  }
}

function bad(why: string, cause?: unknown): TrustError {
  return new TrustError('NM_TRUST_CSR', `bad certificate request: ${why}`, { cause });
}
