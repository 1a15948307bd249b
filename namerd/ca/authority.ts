/** What signs certificates: an own root that can rotate, or what the configuration gives. */

import type { TrustState } from '#api';
import type { Watchable } from '#base/watch.ts';
import type { Issuer } from '#trust';

export interface Signing {
  issuer: Issuer;
  /** PEM between leaf and root, nearest to the leaf first; '' under a root. */
  intermediates: string;
  /** No certificate may outlive what signs it; milliseconds since the epoch. */
  notAfter: number;
}

export type RootPhase = 'signing' | 'incoming' | 'retiring' | 'trusted';

export interface RootStatus {
  subject: string;
  /** SHA-256, upper-case hexadecimal with colons. */
  fingerprint: string;
  /** `incoming`: trusted, signs later. `retiring`: signs no more. `trusted`: given, and not the one that signs. */
  phase: RootPhase;
  /** When the phase ends, milliseconds since the epoch; undefined: not before somebody rotates. */
  phaseEndsAt: number | undefined;
  notAfter: number;
}

export interface AuthorityStatus {
  trustDomain: string;
  /** `given`: certificate and key come from the configuration, and so do rotations. */
  kind: 'own' | 'given';
  roots: readonly RootStatus[];
}

export interface Authority {
  /** The roots that everyone must trust now. */
  readonly trust: Watchable<TrustState>;
  /** What signs now; ask again for every certificate. */
  readonly signing: Signing;
  status(): AuthorityStatus;
  /**
   * Begins to replace the root without interrupting anybody: the new root is trusted at once, signs after a
   * delay, and the old one is trusted until its last certificate has expired.
   * @throws CaError NM_CA_ROTATION when one is under way already, or when the root is not ours to replace
   */
  rotate(): Promise<AuthorityStatus>;
  close(): void;
}
