/** The filters RequestRedirect and URLRewrite, and the change of path that both can make. */

import type { PathChange, RouteFilter } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { dnsSubdomainProblem } from '../../metadata.ts';
import { checked, optional, withoutAbsent } from '../../values/fields.ts';
import { httpPathProblem, prefixWithoutSlash } from '../../values/http-path.ts';
import type { RouteReading } from '../reading.ts';

const STATUSES: readonly number[] = [301, 302, 303, 307, 308];
const DEFAULT_STATUS = 302;
const MAX_PORT = 65_535;

export function readRedirect(node: ConfigNode, reading: RouteReading): RouteFilter {
  const fields = node.fields();
  const scheme = optional(fields, 'scheme')?.oneOf(['http', 'https']);
  const hostname = readHostname(fields);
  const path = readPathChange(optional(fields, 'path'));
  const port = optional(fields, 'port')?.integer(1, MAX_PORT);
  const statusNode = optional(fields, 'statusCode');
  const status = statusNode?.integer() ?? DEFAULT_STATUS;
  if (!STATUSES.includes(status)) statusNode?.problem(`${status} is not one of ${STATUSES.join(', ')}`);
  fields.finish();
  if (scheme === undefined && hostname === undefined && path === undefined && port === undefined)
    reading.warn(node, 'the redirect leads to where the request came from: clients go round in circles');
  return withoutAbsent({ kind: 'redirect', scheme, hostname, path, port, status });
}

export function readRewrite(node: ConfigNode): RouteFilter {
  const fields = node.fields();
  const hostname = readHostname(fields);
  const path = readPathChange(optional(fields, 'path'));
  fields.finish();
  if (fields.names.length === 0) node.problem("a rewrite without 'hostname' or 'path' changes nothing");
  return withoutAbsent({ kind: 'rewrite', hostname, path });
}

/** No wildcard, no port. */
function readHostname(fields: Fields): string | undefined {
  return checked(optional(fields, 'hostname'), dnsSubdomainProblem);
}

const FIELD_OF = { ReplaceFullPath: 'replaceFullPath', ReplacePrefixMatch: 'replacePrefixMatch' } as const;

function readPathChange(node: ConfigNode | undefined): PathChange | undefined {
  if (node === undefined) return undefined;
  const fields = node.fields();
  const type = fields.need('type')?.oneOf(['ReplaceFullPath', 'ReplacePrefixMatch']);
  const full = optional(fields, 'replaceFullPath');
  const prefix = optional(fields, 'replacePrefixMatch');
  fields.finish();
  if (type === undefined) return undefined;
  const [own, other] = type === 'ReplaceFullPath' ? [full, prefix] : [prefix, full];
  other?.problem(`this does not belong to the type ${type}`);
  if (own === undefined) {
    node.problem(`the field '${FIELD_OF[type]}' is missing`);
    return undefined;
  }
  if (type === 'ReplaceFullPath') {
    const value = checked(own, httpPathProblem);
    return value === undefined ? undefined : { kind: 'full', value };
  }
  // An empty text and '/' both mean that the prefix is taken away.
  const value = own.value === '' ? '/' : checked(own, httpPathProblem);
  return value === undefined ? undefined : { kind: 'prefix', value: prefixWithoutSlash(value) };
}
