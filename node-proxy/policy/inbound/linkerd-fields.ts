/**
 * Linkerd's headers on the server's node. An application is given them only from a node that carried the requests
 * itself: it has removed what its pod may not say and added what it says. A connection that came as bytes, by the pod's
 * address or from outside the mesh, may claim anything: they are left out.
 * Source: LinkerdHeaders.scala of Linkerd 1.7.
 */

import { type Field, fieldsNamed, NO_FIELDS } from '../own-fields.ts';
import type { CarriedRequest } from '../view.ts';

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
  return view.reserved && checked ? fieldsNamed(view, NAMES) : NO_FIELDS;
}
