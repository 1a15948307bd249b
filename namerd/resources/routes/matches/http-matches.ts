/** One entry of an HTTPRoute's `matches`: path, headers, query parameters and method, all of which must fit. */

import type { RouteMatch } from '#api';
import type { ConfigNode } from '#base/config.ts';
import { checked, optional, withoutAbsent } from '../../values/fields.ts';
import { httpPathProblem, prefixWithoutSlash } from '../../values/http-path.ts';
import type { RouteReading } from '../reading.ts';
import { readHeaderMatches, readQueryMatches } from './field-matches.ts';

export type Match = Omit<RouteMatch, 'action'>;

/** What a rule without matches, and a match without a path, means. */
export const ANY_PATH = { kind: 'prefix', value: '/' } as const;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;

export function readHttpMatch(node: ConfigNode, reading: RouteReading): Match | undefined {
  const fields = node.fields();
  const pathNode = optional(fields, 'path');
  const path = pathNode === undefined ? ANY_PATH : readPath(pathNode, reading);
  const headers = readHeaderMatches(optional(fields, 'headers'), reading);
  const query = readQueryMatches(optional(fields, 'queryParams'), reading);
  const method = optional(fields, 'method')?.oneOf(METHODS);
  fields.finish();
  return path === undefined ? undefined : withoutAbsent({ path, method, headers, query });
}

function readPath(node: ConfigNode, reading: RouteReading): Match['path'] {
  const fields = node.fields();
  const type = optional(fields, 'type')?.oneOf(['Exact', 'PathPrefix', 'RegularExpression']) ?? 'PathPrefix';
  const valueNode = optional(fields, 'value');
  fields.finish();
  if (type === 'RegularExpression') {
    if (valueNode === undefined) node.problem("the field 'value' is missing");
    const value = reading.pattern(valueNode);
    return value === undefined ? undefined : { kind: 'regex', value };
  }
  const value = valueNode === undefined ? '/' : checked(valueNode, httpPathProblem);
  if (value === undefined) return undefined;
  return type === 'Exact' ? { kind: 'exact', value } : { kind: 'prefix', value: prefixWithoutSlash(value) };
}
