/** Keys: ECDSA P-256 everywhere. An RSA handshake would cost twenty times more. */

import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { TrustError } from './errors.ts';

export interface KeyPair {
  privateKey: KeyObject;
  /** PKCS#8. A secret: never into a log. */
  privateKeyPem: string;
  publicKey: KeyObject;
}

const generate = promisify(generateKeyPair);

/** On the thread pool, so that a burst of new identities does not stall the loop. */
export async function generateKey(): Promise<KeyPair> {
  const { privateKey, publicKey } = await generate('ec', { namedCurve: 'P-256' });
  return {
    privateKey,
    publicKey,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** @throws TrustError NM_TRUST_KEY_TYPE */
export function assertP256(key: KeyObject): void {
  if (isP256(key)) return;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  throw new TrustError(
    'NM_TRUST_KEY_TYPE',
    `a key of type ${details?.namedCurve ?? type ?? 'secret'} is not accepted: ECDSA P-256 only`,
  );
}

export function publicKeyOf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key;
}

/** SubjectPublicKeyInfo. */
export function spki(key: KeyObject): Buffer {
  return publicKeyOf(key).export({ type: 'spki', format: 'der' });
}

/** RFC 7093 §2 (1): the leftmost 160 bits of the SHA-256 of the public key's bits. */
export function keyIdentifier(publicKey: KeyObject): Buffer {
  // The uncompressed point of P-256 is the last 65 bytes of its SubjectPublicKeyInfo.
  const point = spki(publicKey).subarray(-65);
  return createHash('sha256').update(point).digest().subarray(0, 20);
}

/** @throws TrustError NM_TRUST_KEY_TYPE or NM_TRUST_PEM */
export function readPrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The cause could quote the text, which is a secret.
    throw new TrustError('NM_TRUST_PEM', 'the private key is unreadable', { by: 'config' });
  }
  assertP256(key);
  return key;
}
