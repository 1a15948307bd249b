/**
 * Linkerd's headers on the server's node. The caller's node has removed what its pod may not say and added what it
 * says itself, so that an application is given these from callers with a mesh identity, and from nobody else.
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

/** @param identity of the caller, or ''. */
export function linkerdFields(view: CarriedRequest, identity: string): readonly Field[] {
  if (!view.reserved || identity === '') return NONE;
  const fields: Field[] = [];
  for (const name of NAMES) {
    const value = view.header(name);
    if (value !== undefined) fields.push([name, value]);
  }
  return fields;
}
