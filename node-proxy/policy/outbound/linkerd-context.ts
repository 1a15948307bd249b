/**
 * Linkerd's context headers (`l5d-ctx-*`, `l5d-reqid`, `l5d-sample`): what an application passes from the requests
 * that it gets to those that it makes. Reserved fields are all left out when a request is forwarded; the ones of the
 * context are put back here. Source: LinkerdHeaders.scala of Linkerd 1.7.
 */

import { type Field, fieldsNamed } from '../own-fields.ts';
import type { CarriedRequest } from '../view.ts';

/** Passed on as they are: they decide nothing. */
const PASSED = ['l5d-ctx-trace', 'l5d-reqid', 'l5d-sample'] as const;

/** The request's own override: what came in the context, then what the user says; the latter wins. */
export function requestedDtab(view: CarriedRequest): string | undefined {
  const context = view.header('l5d-ctx-dtab');
  const user = view.header('l5d-dtab');
  if (context === undefined) return user;
  return user === undefined ? context : `${context};${user}`;
}

/**
 * For requests that have reserved fields; others have no context to pass on.
 * @param dtab what holds for this request, or ''.
 * @param deadlineMs when the request is over, milliseconds since the epoch; 0 = never.
 */
export function contextFields(
  view: CarriedRequest,
  dtab: string,
  nowMs: number,
  deadlineMs: number,
): readonly Field[] {
  const fields = fieldsNamed(view, PASSED);
  if (dtab !== '') fields.push(['l5d-ctx-dtab', dtab]);
  const deadline = strictest(view.header('l5d-ctx-deadline'), nowMs, deadlineMs);
  if (deadline !== undefined) fields.push(['l5d-ctx-deadline', deadline]);
  return fields;
}

/** `<timestamp> <deadline>` in nanoseconds since the epoch; the earlier deadline counts. */
function strictest(sent: string | undefined, nowMs: number, deadlineMs: number): string | undefined {
  const theirs = /^\d{1,19} (\d{1,19})$/.exec(sent ?? '')?.[1];
  const ours = deadlineMs === 0 ? undefined : BigInt(Math.round(deadlineMs)) * 1_000_000n;
  if (theirs === undefined)
    return ours === undefined ? undefined : `${BigInt(Math.round(nowMs)) * 1_000_000n} ${ours}`;
  if (ours === undefined || BigInt(theirs) <= ours) return sent;
  return `${BigInt(Math.round(nowMs)) * 1_000_000n} ${ours}`;
}

/** Milliseconds since the epoch of the deadline that was sent; undefined if there is none. */
export function sentDeadlineMs(view: CarriedRequest): number | undefined {
  const nanos = /^\d{1,19} (\d{1,19})$/.exec(view.header('l5d-ctx-deadline') ?? '')?.[1];
  return nanos === undefined ? undefined : Number(BigInt(nanos) / 1_000_000n);
}
