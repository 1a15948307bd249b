/** References to objects as the Gateway API writes them: group, kind, namespace, name. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { dnsLabelProblem } from '../metadata.ts';
import { checked, optional } from './fields.ts';

export interface ReferenceHead {
  group: string | undefined;
  kind: string | undefined;
  /** Where these stand, for problems. */
  at: ConfigNode;
}

/** The two fields that say what kind of thing is meant; undefined where they are left out. */
export function readReferenceHead(fields: Fields): ReferenceHead {
  const kindNode = optional(fields, 'kind');
  const group = optional(fields, 'group')?.string();
  return { group, kind: kindNode?.string(), at: kindNode ?? fields.node };
}

/** Kubernetes' own group has the name ''; people also write `core`. */
export function isService({ group, kind }: ReferenceHead, kindByDefault: boolean): boolean {
  const coreGroup = group === undefined || group === '' || group === 'core';
  return coreGroup && (kind === 'Service' || (kind === undefined && kindByDefault));
}

export function readServiceName(fields: Fields): string | undefined {
  return checked(fields.need('name'), dnsLabelProblem);
}

/** @param own the namespace of the document. */
export function readNamespaceOr(fields: Fields, own: string): string {
  return checked(optional(fields, 'namespace'), dnsLabelProblem) ?? own;
}
