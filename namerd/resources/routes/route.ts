/** What HTTPRoute and GRPCRoute have in common: parents, rules, and the rules of the rules (Gateway API v1). */

import type { ConfigNode, Fields } from '#base/config.ts';
import { dnsSubdomainProblem, type Metadata } from '../metadata.ts';
import { checked, isEmptyList, limited, optional, withoutAbsent } from '../values/fields.ts';
import { readBackends } from './backends.ts';
import { type FilterType, readFilters } from './filters/filters.ts';
import { ANY_PATH, type Match } from './matches/http-matches.ts';
import { readParents } from './parents.ts';
import { RouteReading } from './reading.ts';
import type { RouteDocument, RouteDocumentRule } from './route-document.ts';

const MAX_RULES = 16;
const MAX_MATCHES = 64;
const MAX_ALL_MATCHES = 128;
const MAX_HOSTNAMES = 16;

/** What makes a kind of route a kind of its own. */
export interface RouteDialect {
  kind: RouteDocument['kind'];
  /** The kind with its article, for messages. */
  title: string;
  readMatch(node: ConfigNode, reading: RouteReading): Match | undefined;
  filters: readonly FilterType[];
  backendFilters: readonly FilterType[];
  /** Fields of a rule that only this kind has. */
  readMore(
    fields: Fields,
    reading: RouteReading,
  ): Pick<RouteDocumentRule, 'requestMs' | 'backendRequestMs' | 'retry'>;
}

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readRoute(dialect: RouteDialect, { namespace }: Metadata, spec: Fields): RouteDocument {
  const reading = new RouteReading(namespace);
  const parents = readParents(spec.need('parentRefs'), reading);
  const hostnames = optional(spec, 'hostnames');
  for (const item of limited(hostnames, MAX_HOSTNAMES, 'hostnames')) item.string();
  if (hostnames !== undefined)
    reading.warn(hostnames, 'hostnames are ignored for Services (GEP-1294); match the header host instead');
  const defaults = optional(spec, 'useDefaultGateways');
  if (defaults?.string() !== undefined) reading.warn(defaults, 'ignored: the mesh has no Gateways');
  const rulesNode = spec.need('rules');
  const items = limited(rulesNode, MAX_RULES, 'rules');
  if (rulesNode !== undefined && isEmptyList(rulesNode)) rulesNode.problem('a route has at least one rule');
  const names = new Set<string>();
  const rules = items.map((item, index) => readRule(item, index, { dialect, reading, names }));
  const all = rules.reduce((sum, { matches }) => sum + matches.length, 0);
  if (all > MAX_ALL_MATCHES) rulesNode?.problem(`${all} matches in all rules: at most ${MAX_ALL_MATCHES}`);
  spec.finish();
  return { kind: dialect.kind, parents, rules, warnings: reading.warnings };
}

interface RuleContext {
  dialect: RouteDialect;
  reading: RouteReading;
  /** Of the rules so far. */
  names: Set<string>;
}

function readRule(
  node: ConfigNode,
  index: number,
  { dialect, reading, names }: RuleContext,
): RouteDocumentRule {
  const fields = node.fields();
  const nameNode = optional(fields, 'name');
  const name = checked(nameNode, dnsSubdomainProblem) ?? String(index);
  if (nameNode !== undefined && names.has(name)) nameNode.problem(`a rule is named '${name}' already`);
  names.add(name);
  const { matches, complete } = readMatches(optional(fields, 'matches'), dialect, reading);
  const filters = readFilters(
    optional(fields, 'filters'),
    { supported: dialect.filters, place: dialect.title },
    reading,
  );
  const backendsNode = optional(fields, 'backendRefs');
  const backends = readBackends(backendsNode, dialect.backendFilters, reading);
  const more = dialect.readMore(fields, reading);
  optional(fields, 'sessionPersistence')?.problem(
    "'sessionPersistence' is not supported: a TrafficPolicy with the balancer ringHash keeps users with a backend",
  );
  fields.finish();
  const redirects = filters.some(({ kind }) => kind === 'redirect');
  if (redirects && backends.length > 0)
    backendsNode?.problem('a RequestRedirect answers itself: it excludes backendRefs');
  if (!redirects && backendsNode === undefined)
    reading.warn(node, 'neither backendRefs nor a RequestRedirect: requests are answered with 500');
  const all = [...filters, ...backends.flatMap(backend => backend.filters)];
  const replacesPrefix = all.some(filter => 'path' in filter && filter.path?.kind === 'prefix');
  if (replacesPrefix && complete && (matches.length !== 1 || matches[0]?.path?.kind !== 'prefix'))
    node.problem('ReplacePrefixMatch needs exactly one match in the rule, with a path of type PathPrefix');
  return withoutAbsent({ name, matches, filters, backends, ...more });
}

/** `complete`: all of them could be read. */
function readMatches(
  node: ConfigNode | undefined,
  dialect: RouteDialect,
  reading: RouteReading,
): { matches: Match[]; complete: boolean } {
  const items = limited(node, MAX_MATCHES, 'matches');
  const read = items.map(item => dialect.readMatch(item, reading));
  const matches = read.filter(match => match !== undefined);
  const complete = matches.length === items.length;
  // An empty list is, in the Gateway API, the same as none.
  if (items.length === 0) matches.push({ path: ANY_PATH, headers: [], query: [] });
  return { matches, complete };
}
