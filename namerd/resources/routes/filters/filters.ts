/**
 * `filters` of a rule or a backend. A filter that the mesh doesn't have is an error of the route: without it,
 * requests would get less than was written.
 */

import type { RouteFilter } from '#api';
import type { ConfigNode } from '#base/config.ts';
import { limited, optional } from '../../values/fields.ts';
import type { RouteReading } from '../reading.ts';
import { readHeaderChanges } from './header-filter.ts';
import { readRedirect, readRewrite } from './path-filters.ts';

/** The field that each type of the Gateway API reads. */
const FIELD_OF = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
  ExtensionRef: 'extensionRef',
} as const;
export type FilterType = keyof typeof FIELD_OF;
const TYPES = Object.keys(FIELD_OF) as FilterType[];
const MAX_FILTERS = 16;

/** @param supported the types that may stand here. @param place what has no others, for the message. */
export function readFilters(
  node: ConfigNode | undefined,
  { supported, place }: { supported: readonly FilterType[]; place: string },
  reading: RouteReading,
): RouteFilter[] {
  const seen = new Set<RouteFilter['kind']>();
  return limited(node, MAX_FILTERS, 'filters').flatMap(item => {
    const found = readContent(item);
    if (found === undefined) return [];
    if (!supported.includes(found.type)) {
      item.problem(`the filter ${found.type} is not supported in ${place}: ${supported.join(', ')} are`);
      return [];
    }
    const filter = readFilter(found.type, found.content, reading);
    if (filter === undefined) return [];
    if (seen.has(filter.kind)) item.problem(`a ${found.type} stands here already`);
    seen.add(filter.kind);
    if (seen.has('redirect') && seen.has('rewrite'))
      item.problem('RequestRedirect and URLRewrite exclude each other');
    return filter;
  });
}

function readContent(node: ConfigNode): { type: FilterType; content: ConfigNode } | undefined {
  const fields = node.fields();
  const type = fields.need('type')?.oneOf(TYPES);
  for (const other of TYPES)
    if (other !== type)
      optional(fields, FIELD_OF[other])?.problem(`this does not belong to the type ${type}`);
  const content = type === undefined ? undefined : optional(fields, FIELD_OF[type]);
  fields.finish();
  if (type === undefined) return undefined;
  if (content !== undefined) return { type, content };
  node.problem(`the field '${FIELD_OF[type]}' is missing`);
  return undefined;
}

function readFilter(type: FilterType, content: ConfigNode, reading: RouteReading): RouteFilter | undefined {
  switch (type) {
    case 'RequestHeaderModifier':
      return { kind: 'requestHeaders', ...readHeaderChanges(content, reading) };
    case 'ResponseHeaderModifier':
      return { kind: 'responseHeaders', ...readHeaderChanges(content, reading) };
    case 'RequestRedirect':
      return readRedirect(content, reading);
    case 'URLRewrite':
      return readRewrite(content);
    default:
      return undefined;
  }
}
