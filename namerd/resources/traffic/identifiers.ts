/** `identifiers`: how a request gets its name, with Linkerd's kinds and their defaults. */

import type { Identifier } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { NameSyntaxError, Path, parsePath } from '#names';
import { checked, isEmptyList, limited, optional } from '../values/fields.ts';
import { headerNameProblem } from '../values/header-text.ts';
import type { Warn } from './reading.ts';

const KINDS = [
  'io.l5d.header.token',
  'io.l5d.header',
  'io.l5d.path',
  'io.l5d.methodAndHost',
  'io.l5d.static',
  'io.nodemesh.host',
  'io.nodemesh.service',
] as const;
const MAX_IDENTIFIERS = 16;
const MAX_SEGMENTS = 16;
const SVC = Path.of('svc');
const HOST = Path.of('host');

export function readIdentifiers(node: ConfigNode | undefined, warn: Warn): Identifier[] {
  const items = limited(node, MAX_IDENTIFIERS, 'identifiers');
  if (node !== undefined && isEmptyList(node))
    node.problem('an empty list; leave the field out to mean the service itself');
  const identifiers: Identifier[] = [];
  let certain: string | undefined;
  for (const item of items) {
    const fields = item.fields();
    const kind = fields.need('kind')?.oneOf(KINDS);
    if (kind === undefined) continue;
    const identifier = readIdentifier(kind, fields);
    fields.finish();
    if (certain !== undefined) warn(item, `never asked: ${certain} before it applies to every request`);
    if (kind === 'io.l5d.static' || kind === 'io.nodemesh.service') certain ??= kind;
    if (identifier === undefined) continue;
    if ('prefix' in identifier && /^\/[#$%]/.test(identifier.prefix))
      item.problem(`under ${identifier.prefix} callers would name any address, past the dtab`);
    identifiers.push(identifier);
  }
  return identifiers;
}

function readIdentifier(kind: (typeof KINDS)[number], fields: Fields): Identifier | undefined {
  if (kind === 'io.nodemesh.service') return { kind: 'service' };
  const given = readPath(optional(fields, 'prefix'), parsePath);
  const prefix = (given ?? (kind === 'io.nodemesh.host' ? HOST : SVC)).show;
  switch (kind) {
    case 'io.l5d.header.token':
      return { kind: 'header', prefix, header: readHeader(fields, 'host') };
    case 'io.l5d.header':
      return { kind: 'headerPath', prefix, header: readHeader(fields, 'l5d-name') };
    case 'io.nodemesh.host':
      return { kind: 'header', prefix, header: 'host' };
    case 'io.l5d.path': {
      const segments = optional(fields, 'segments')?.integer(1, MAX_SEGMENTS) ?? 1;
      return { kind: 'path', prefix, segments, consume: optional(fields, 'consume')?.boolean() ?? false };
    }
    case 'io.l5d.methodAndHost':
      return { kind: 'methodAndHost', prefix, uri: optional(fields, 'httpUriInDst')?.boolean() ?? false };
    case 'io.l5d.static': {
      // Linkerd's examples leave the slash out.
      const path = readPath(fields.need('path'), text => parsePath(text.startsWith('/') ? text : `/${text}`));
      return path === undefined ? undefined : { kind: 'static', path: parsePath(prefix).concat(path).show };
    }
  }
}

function readHeader(fields: Fields, byDefault: string): string {
  return checked(optional(fields, 'header'), headerNameProblem)?.toLowerCase() ?? byDefault;
}

function readPath(node: ConfigNode | undefined, parse: (text: string) => Path): Path | undefined {
  const text = node?.string();
  if (node === undefined || text === undefined) return undefined;
  try {
    const path = parse(text);
    if (!path.isEmpty) return path;
    node.problem('a path with at least one element is expected here');
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    node.problem(error.message, Math.min(error.offset, text.length));
  }
  return undefined;
}
