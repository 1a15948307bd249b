/** One entry of a GRPCRoute's `matches`. A call's path is `/<service>/<method>`, so its method becomes a path. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { checked, optional } from '../../values/fields.ts';
import { MAX_PATTERN_LENGTH, patternProblem } from '../../values/pattern.ts';
import type { RouteReading } from '../reading.ts';
import { readHeaderMatches } from './field-matches.ts';
import { ANY_PATH, type Match } from './http-matches.ts';

const SERVICE = /^\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*$/i;
const METHOD = /^[a-z_][a-z_0-9]*$/i;
const MAX_NAME = 1_024;
/** Any service, or any method. */
const ANY = '[^/]+';

export function readGrpcMatch(node: ConfigNode, reading: RouteReading): Match | undefined {
  const fields = node.fields();
  const methodNode = optional(fields, 'method');
  const path = methodNode === undefined ? ANY_PATH : readMethod(methodNode, reading);
  const headers = readHeaderMatches(optional(fields, 'headers'), reading);
  fields.finish();
  return path === undefined ? undefined : { path, headers, query: [] };
}

function readMethod(node: ConfigNode, reading: RouteReading): Match['path'] {
  const fields = node.fields();
  const type = optional(fields, 'type')?.oneOf(['Exact', 'RegularExpression']) ?? 'Exact';
  const path = type === 'Exact' ? exactPath(fields) : patternPath(fields, reading);
  fields.finish();
  return path;
}

/** The Gateway API takes an empty text for a field that is left out. */
function given(fields: Fields, name: string): ConfigNode | undefined {
  const node = optional(fields, name);
  return node?.value === '' ? undefined : node;
}

function exactPath(fields: Fields): Match['path'] {
  const serviceNode = given(fields, 'service');
  const methodNode = given(fields, 'method');
  if (serviceNode === undefined && methodNode === undefined) return neither(fields);
  const service = checked(serviceNode, text => nameProblem(text, SERVICE, 'service of gRPC'));
  const method = checked(methodNode, text => nameProblem(text, METHOD, 'method of gRPC'));
  if ((service === undefined) !== (serviceNode === undefined)) return undefined;
  if ((method === undefined) !== (methodNode === undefined)) return undefined;
  if (service === undefined) return { kind: 'regex', value: `/${ANY}/${method}` };
  if (method === undefined) return { kind: 'prefix', value: `/${service}` };
  return { kind: 'exact', value: `/${service}/${method}` };
}

function patternPath(fields: Fields, reading: RouteReading): Match['path'] {
  const serviceNode = given(fields, 'service');
  const methodNode = given(fields, 'method');
  if (serviceNode === undefined && methodNode === undefined) return neither(fields);
  const service = serviceNode === undefined ? ANY : reading.pattern(serviceNode);
  const method = methodNode === undefined ? ANY : reading.pattern(methodNode);
  if (service === undefined || method === undefined) return undefined;
  const value = `/(?:${service})/(?:${method})`;
  // Each is good; together they may be too large, or one may quote what follows it.
  const problem = patternProblem(value);
  if (problem === undefined) return { kind: 'regex', value };
  fields.node.problem(
    value.length > MAX_PATTERN_LENGTH ? 'service and method together are too long' : problem.message,
  );
  return undefined;
}

function neither(fields: Fields): undefined {
  fields.node.problem("give 'service' or 'method' or both; leave the field out to match every call");
  return undefined;
}

function nameProblem(text: string, form: RegExp, what: string): string | undefined {
  return text.length <= MAX_NAME && form.test(text) ? undefined : `'${text.slice(0, 80)}' is no ${what}`;
}
