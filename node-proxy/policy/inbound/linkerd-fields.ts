/**
 * Linkerd's headers on the server's node. An application is given them only from a node that carried the requests
 * itself: it has removed what its pod may not say and added what it says. A connection that came as bytes, by the pod's
 * address or from outside the mesh, may claim anything: they are left out.
 * Source: LinkerdHeaders.scala of Linkerd 1.7.
 */

import type { CarriedRequest } from '../view.ts';

export type Field = readonly [string, string];
const NONE: readonly Field[] = [];

const NAMES = [
  'l5d-ctx-trace',
  'l5d-ctx-deadline',
  'l5d-ctx-dtab',
  'l5d-dst-service',
  'l5d-dst-client',
  'l5d-dst-residual',
  'l5d-reqid',
  'l5d-sample',
] as const;

/** @param checked by the caller's node. */
export function linkerdFields(view: CarriedRequest, checked: boolean): readonly Field[] {
  if (!view.reserved || !checked) return NONE;
  const fields: Field[] = [];
  for (const name of NAMES) {
    const value = view.header(name);
    if (value !== undefined) fields.push([name, value]);
  }
  return fields;
}
