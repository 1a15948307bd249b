/**
 * SPIFFE ids of the mesh. Three shapes exist: a workload, a node proxy, namerd itself; any other path is no
 * identity here, so nothing can be mistaken for one. Characters and lengths: SPIFFE-ID §2.1 to §2.4.
 */

import { TrustError } from './errors.ts';

export interface SpiffeId {
  readonly text: string;
  readonly trustDomain: string;
  readonly kind: 'workload' | 'node' | 'namerd';
  /** '' unless kind is `workload`. */
  readonly namespace: string;
  /** '' unless kind is `workload`. */
  readonly serviceAccount: string;
  /** '' unless kind is `node`. */
  readonly node: string;
}

const SCHEME = 'spiffe://';
/** Bytes, SPIFFE-ID §2.4. */
const MAX_ID = 2048;
/** Bytes, SPIFFE-ID §2.4. */
const MAX_TRUST_DOMAIN = 255;

/** Lower-case letters, digits, `.`, `-`, `_`; at most 255 of them. */
export function isTrustDomain(text: string): boolean {
  return text.length <= MAX_TRUST_DOMAIN && /^[a-z0-9._-]+$/.test(text);
}

/** Letters, digits, `.`, `-`, `_`, and not a path's `.` or `..`. */
export function isSpiffeSegment(text: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(text) && text !== '.' && text !== '..';
}

/** @throws TrustError NM_TRUST_SPIFFE */
export function parseSpiffe(text: string): SpiffeId {
  const id = tryParseSpiffe(text);
  if (id === undefined)
    throw new TrustError('NM_TRUST_SPIFFE', `${JSON.stringify(text.slice(0, 200))} is no identity of a mesh`);
  return id;
}

export function tryParseSpiffe(text: string): SpiffeId | undefined {
  if (text.length > MAX_ID || !text.startsWith(SCHEME)) return undefined;
  const [trustDomain = '', a, b, c, d, ...rest] = text.slice(SCHEME.length).split('/');
  if (!isTrustDomain(trustDomain) || rest.length > 0) return undefined;
  const whole = { text, trustDomain, namespace: '', serviceAccount: '', node: '' };
  if (a === 'ns' && c === 'sa' && segment(b) && segment(d))
    return { ...whole, kind: 'workload', namespace: b, serviceAccount: d };
  if (a === 'nodemesh' && b === 'node' && segment(c) && d === undefined)
    return { ...whole, kind: 'node', node: c };
  if (a === 'nodemesh' && b === 'namerd' && c === undefined) return { ...whole, kind: 'namerd' };
  return undefined;
}

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; throws TrustError on anything else. */
export function workloadId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return parseSpiffe(`${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`).text;
}

/** `spiffe://<trust domain>/nodemesh/node/<node>`; throws TrustError on anything else. */
export function nodeId(trustDomain: string, node: string): string {
  return parseSpiffe(`${SCHEME}${trustDomain}/nodemesh/node/${node}`).text;
}

/** `spiffe://<trust domain>/nodemesh/namerd`; throws TrustError on anything else. */
export function namerdId(trustDomain: string): string {
  return parseSpiffe(`${SCHEME}${trustDomain}/nodemesh/namerd`).text;
}

function segment(text: string | undefined): text is string {
  return text !== undefined && isSpiffeSegment(text);
}
