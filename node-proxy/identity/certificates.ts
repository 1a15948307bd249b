/**
 * The certificates of the identities that live on this node: asked for when the first pod of an identity is
 * enrolled, renewed at half of their life, forgotten with the last pod. Keys stay in memory.
 */

import type { Issued } from '#api';
import { Backoff } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { createCsr, generateKey, renewAtMs } from '#trust';
import type { Credential } from '../tunnel/index.ts';
import { verifyIssued } from './issued-chain.ts';

export interface CertificateAuthority {
  certificate(identity: string, csr: string): Promise<Issued>;
}

export class CertificateUnavailable extends MeshError {
  constructor(identity: string, cause: unknown) {
    super('NM_CERTIFICATE_UNAVAILABLE', `no certificate for ${identity}`, {
      by: 'mesh',
      cause,
      next: "The cause is namerd's refusal, or namerd is out of reach: see `namerd` in /ready.",
    });
  }
}

interface Held {
  uses: number;
  credential: Credential | undefined;
  /** Resolved with the first certificate. */
  first: PromiseWithResolvers<void>;
  /** What comes next, and when: milliseconds since the epoch. */
  timer: Timer | undefined;
  at: number;
  backoff: Backoff;
  error: unknown;
}

export interface CertificatesOptions {
  authority: CertificateAuthority;
  clock: Clock;
  log: Logger;
  /** What every chain is verified against before it is used; absent = not verified. */
  roots?: () => readonly string[];
  onCredential: (credential: Credential) => void;
  onForgotten: (identity: string) => void;
}

export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  /** What is held now, without keys. */
  list(): { identity: string; notAfter: number | undefined; problem: string | undefined }[] {
    return Array.from(this.#held, ([identity, { credential, error }]) => ({
      identity,
      notAfter: credential?.notAfter,
      problem: error === undefined ? undefined : String(error instanceof Error ? error.message : error),
    }));
  }

  /** Counts one more user of the identity; asks for a certificate if it is the first. */
  hold(identity: string): void {
    const held = this.#held.get(identity);
    if (held !== undefined) {
      held.uses += 1;
      return;
    }
    const fresh: Held = {
      uses: 1,
      credential: undefined,
      first: Promise.withResolvers(),
      timer: undefined,
      at: 0,
      backoff: new Backoff({ minMs: 200, maxMs: 150_000 }),
      error: undefined,
    };
    fresh.first.promise.catch(() => {});
    this.#held.set(identity, fresh);
    void this.#renew(identity, fresh);
  }

  /** Resolves when the identity has a certificate. @throws CertificateUnavailable after the time-out. */
  async ready(identity: string, timeoutMs: number): Promise<void> {
    const held = this.#held.get(identity);
    if (held?.credential !== undefined) return;
    const late = Promise.withResolvers<never>();
    const timer = this.#options.clock.after(timeoutMs, () =>
      late.reject(new CertificateUnavailable(identity, held?.error)),
    );
    try {
      await Promise.race([held?.first.promise ?? late.promise, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  release(identity: string): void {
    const held = this.#held.get(identity);
    if (held === undefined) return;
    held.uses -= 1;
    if (held.uses > 0) return;
    held.timer?.cancel();
    this.#held.delete(identity);
    this.#options.onForgotten(identity);
  }

  /** namerd is back, or its roots changed: what failed is tried at once. */
  retry(): void {
    for (const [identity, held] of this.#held) {
      if (held.error === undefined) continue;
      held.timer?.cancel();
      held.timer = undefined;
      held.backoff.reset();
      void this.#renew(identity, held);
    }
  }

  /** The roots changed: every certificate is renewed soon, so that none depends on a root that goes away. */
  renewAll(spreadMs: number): void {
    for (const [identity, held] of this.#held) this.#plan(identity, held, Math.random() * spreadMs);
  }

  close(): void {
    for (const { timer } of this.#held.values()) timer?.cancel();
  }

  async #renew(identity: string, held: Held): Promise<void> {
    const { authority, clock, log, roots, onCredential } = this.#options;
    try {
      const key = await generateKey();
      const issued = await authority.certificate(identity, createCsr(key, { uri: identity }));
      if (this.#held.get(identity) !== held) return;
      if (roots !== undefined) {
        // Its own roots too: they came on the same connection, and the watch of trust may be behind.
        const trusted = [...roots(), ...issued.trust.roots];
        const wanted = { identity, publicKey: key.publicKey, roots: trusted, atMs: clock.now() };
        verifyIssued(issued.chain, wanted);
      }
      held.credential = {
        identity,
        keyPem: key.privateKeyPem,
        chainPem: issued.chain,
        notAfter: issued.notAfter,
      };
      held.error = undefined;
      held.backoff.reset();
      onCredential(held.credential);
      held.first.resolve();
      const dueMs = Math.max(renewAtMs(issued.notBefore, issued.notAfter) - clock.now(), 1_000);
      this.#plan(identity, held, dueMs);
    } catch (error) {
      if (this.#held.get(identity) !== held) return;
      held.error = error;
      const waitMs = held.backoff.nextMs();
      // The certificate in use stays until it expires.
      log.warn({ identity, err: error, retryInMs: Math.round(waitMs) }, 'certificate not issued');
      this.#plan(identity, held, waitMs);
    }
  }

  /** One renewal is planned at a time, the soonest: what was asked for before the roots changed puts none off. */
  #plan(identity: string, held: Held, delayMs: number): void {
    const { clock } = this.#options;
    const at = clock.now() + delayMs;
    if (held.timer !== undefined && held.at <= at) return;
    held.timer?.cancel();
    held.at = at;
    held.timer = clock.after(delayMs, () => {
      held.timer = undefined;
      void this.#renew(identity, held);
    });
  }
}
