/**
 * The certificates that this worker speaks with: one per workload identity, replaced while running. A new
 * certificate serves new handshakes only; open tunnels stay as they are. Keys never leave memory.
 */

import { createSecureContext, type SecureContext } from 'node:tls';
import type { TrustState } from '#api';
import { TLS_OPTIONS } from './wire.ts';

export interface Credential {
  identity: string;
  keyPem: string;
  chainPem: string;
  /** Milliseconds since the epoch. */
  notAfter: number;
}

/** What `tls` and `http2` servers take. */
export interface ServerMaterial {
  key: string;
  cert: string;
  ca: string[];
}

export class Credentials {
  readonly #byIdentity = new Map<string, Credential>();
  readonly #contexts = new Map<string, SecureContext>();
  #trust: TrustState;

  constructor(trust: TrustState) {
    this.#trust = trust;
  }

  get trustDomain(): string {
    return this.#trust.trustDomain;
  }

  set(credential: Credential): void {
    this.#byIdentity.set(credential.identity, credential);
    this.#contexts.delete(credential.identity);
  }

  remove(identity: string): void {
    this.#byIdentity.delete(identity);
    this.#contexts.delete(identity);
  }

  /** New roots count for every handshake from now on. @returns false when they are the same as before. */
  trust(state: TrustState): boolean {
    if (JSON.stringify(state) === JSON.stringify(this.#trust)) return false;
    this.#trust = state;
    this.#contexts.clear();
    return true;
  }

  /** For the client side; undefined while the identity has no certificate or it has expired. */
  context(identity: string, nowMs: number): SecureContext | undefined {
    const credential = this.#byIdentity.get(identity);
    if (credential === undefined || credential.notAfter <= nowMs) return undefined;
    let context = this.#contexts.get(identity);
    if (context === undefined) {
      const { minVersion, maxVersion, ciphers, ecdhCurve } = TLS_OPTIONS;
      context = createSecureContext({
        ...this.#material(credential),
        minVersion,
        maxVersion,
        ciphers,
        ecdhCurve,
      });
      this.#contexts.set(identity, context);
    }
    return context;
  }

  /** For the server side; undefined while the identity has no certificate. */
  server(identity: string): ServerMaterial | undefined {
    const credential = this.#byIdentity.get(identity);
    return credential === undefined ? undefined : this.#material(credential);
  }

  #material({ keyPem, chainPem }: Credential): ServerMaterial {
    return { key: keyPem, cert: chainPem, ca: [...this.#trust.roots] };
  }
}
