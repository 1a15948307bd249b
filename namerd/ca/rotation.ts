/**
 * The phases of replacing a root, as a pure state: incoming (trusted, does not sign) → signing → retiring
 * (trusted, signs no more) → gone. At every moment all certificates in use chain to a root that everyone trusts.
 */

import type { X509Certificate } from 'node:crypto';

export interface Root {
  pem: string;
  certificate: X509Certificate;
}

export interface Rotation {
  readonly signing: Root;
  readonly incoming: { readonly root: Root; readonly signsAt: number } | undefined;
  readonly retiring: readonly { readonly root: Root; readonly until: number }[];
}

export interface RotationDelays {
  /** From trusted to signing: as long as the slowest node may need to hear of a new root. */
  overlapMs: number;
  /** From signing no more to not trusted: the longest certificate, and some. */
  retireMs: number;
}

/** Further roots would mean that somebody rotates faster than certificates expire. */
export const MAX_RETIRING = 6;

/** Begins a rotation; only when none is incoming. */
export function introduce(state: Rotation, root: Root, now: number, { overlapMs }: RotationDelays): Rotation {
  return { ...state, incoming: { root, signsAt: now + overlapMs } };
}

/** What has to happen at `now`, and the state after it; undefined when nothing is due. */
export function advance(
  state: Rotation,
  now: number,
  { retireMs }: RotationDelays,
): { step: 'switch' | 'retire'; state: Rotation } | undefined {
  const { signing, incoming, retiring } = state;
  if (incoming !== undefined && incoming.signsAt <= now) {
    const old = { root: signing, until: now + retireMs };
    return {
      step: 'switch',
      state: { signing: incoming.root, incoming: undefined, retiring: [...retiring, old] },
    };
  }
  const kept = retiring.filter(({ until }) => until > now);
  return kept.length === retiring.length
    ? undefined
    : { step: 'retire', state: { ...state, retiring: kept } };
}

/** When to call {@link advance} next, milliseconds since the epoch; Infinity when nothing is planned. */
export function nextStepAt({ incoming, retiring }: Rotation): number {
  return Math.min(incoming?.signsAt ?? Number.POSITIVE_INFINITY, ...retiring.map(({ until }) => until));
}

/** Every trusted root, the one that signs first. */
export function trusted({ signing, incoming, retiring }: Rotation): Root[] {
  return [signing, ...(incoming === undefined ? [] : [incoming.root]), ...retiring.map(({ root }) => root)];
}
