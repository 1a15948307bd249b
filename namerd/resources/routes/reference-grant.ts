/**
 * `ReferenceGrant` of the Gateway API (v1, v1beta1): a namespace lets routes of others refer to its Services. GEP-1294
 * lets a mesh do without grants where routes reach nothing that clients could not reach; here the owner of a service
 * says who may send it requests that were meant for others, and without a grant such a reference leads nowhere. Entries
 * about other kinds are other programs' business.
 */

import type { ConfigNode, Fields } from '#base/config.ts';
import { dnsLabelProblem, dnsSubdomainProblem } from '../metadata.ts';
import { checked, isEmptyList, optional, readList } from '../values/fields.ts';
import { isService, type ReferenceHead } from '../values/service-reference.ts';
import type { RouteDocument } from './route-document.ts';

/** What a `ReferenceGrant` document means. Each side is a choice: any of its entries will do. */
export interface GrantDocument {
  /** Routes of this kind in this namespace may refer … */
  from: readonly { kind: RouteDocument['kind']; namespace: string }[];
  /** … to these Services of the grant's own namespace. */
  services: readonly string[] | 'all';
  /** What was written and has no effect here. */
  warnings: readonly string[];
}

/** Of each list; Gateway API. */
const MAX_ENTRIES = 16;
const ROUTES_GROUP = 'gateway.networking.k8s.io';

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readReferenceGrant(spec: Fields): GrantDocument {
  const warnings: string[] = [];
  const ignored = (at: ConfigNode, { group, kind }: ReferenceHead, what: string) =>
    warnings.push(`${at.path}: ${[group, kind].filter(part => part).join('/')} has no effect here: ${what}`);
  const from = entries(spec, 'from').flatMap(({ node, fields, head }) => {
    const namespace = checked(fields.need('namespace'), dnsLabelProblem) ?? '';
    fields.finish();
    const kind = routeKind(head);
    if (kind !== undefined) return { kind, namespace };
    ignored(node, head, `references come from HTTPRoute and GRPCRoute (group ${ROUTES_GROUP})`);
    return [];
  });
  let all = false;
  const services = entries(spec, 'to').flatMap(({ node, fields, head }) => {
    const nameNode = optional(fields, 'name');
    const ours = isService(head, false);
    const name = checked(nameNode, ours ? dnsLabelProblem : dnsSubdomainProblem);
    fields.finish();
    if (!ours) ignored(node, head, "references lead to Services (group: '')");
    else if (nameNode === undefined) all = true;
    return ours ? (name ?? []) : [];
  });
  spec.finish();
  return { from, services: all ? 'all' : services, warnings };
}

interface Entry {
  node: ConfigNode;
  fields: Fields;
  head: ReferenceHead;
}

/** The entries of one side, of which each says a group and a kind. */
function entries(spec: Fields, name: string): Entry[] {
  const list = spec.need(name);
  if (list !== undefined && isEmptyList(list)) list.problem(`'${name}' has at least one entry`);
  return readList(list, { max: MAX_ENTRIES, what: `entries of '${name}'` }, node => {
    const fields = node.fields();
    const group = fields.need('group')?.string();
    const kind = fields.need('kind')?.string();
    return { node, fields, head: { group, kind, at: node } };
  });
}

function routeKind({ group, kind }: ReferenceHead): RouteDocument['kind'] | undefined {
  if (group !== ROUTES_GROUP) return undefined;
  if (kind === 'HTTPRoute') return 'http';
  return kind === 'GRPCRoute' ? 'grpc' : undefined;
}
