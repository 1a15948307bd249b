/**
 * `AuthorizationPolicy`: its document, checked and compiled to what node proxies enforce. Whatever could be
 * read as "matches everything" by accident (an empty list, an empty entry) is refused.
 */

import type { Policy, PolicyAction, PolicyRule, SourceMatch, TargetMatch, Transport } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { CidrBlock } from '#base/net.ts';
import { tryParseSpiffe } from '#trust';
import { dnsLabelProblem, type Metadata, readLabels } from './metadata.ts';

export interface CompiledPolicy {
  /** The labels that a workload must all have; undefined = every workload of the namespace (or of the mesh). */
  matchLabels: Readonly<Record<string, string>> | undefined;
  /** Undefined for a policy that only sets the transport. */
  policy: Policy | undefined;
  transport: Transport | undefined;
  /** Things that are allowed but hardly meant. */
  warnings: readonly string[];
}

const ACTIONS = ['ALLOW', 'DENY', 'AUDIT'] as const satisfies readonly PolicyAction[];
const MODES = ['strict', 'permissive'] as const;
const MAX_RULES = 1_000;
const MAX_ENTRIES = 1_000;
const MAX_PORT = 65_535;

/** @param spec the fields of `spec`; every problem is reported there. */
export function readAuthorizationPolicy({ namespace, name }: Metadata, spec: Fields): CompiledPolicy {
  const selector = spec.get('selector')?.fields();
  const matchLabels = selector === undefined ? undefined : readSelector(selector);
  const actionNode = spec.get('action');
  const action = actionNode?.oneOf(ACTIONS) ?? 'ALLOW';
  const rulesNode = spec.get('rules');
  const rules = limited(rulesNode, MAX_RULES, 'rules').map(readRule);
  const transportNode = spec.get('transport');
  const transport = transportNode === undefined ? undefined : readTransport(transportNode.fields());
  spec.finish();
  const decides = actionNode !== undefined || rulesNode !== undefined;
  if (!decides && transportNode === undefined)
    spec.node.problem("the policy says nothing: give 'rules', 'action' or 'transport'");
  const warnings: string[] = [];
  if (decides && rules.length === 0 && action !== 'ALLOW')
    warnings.push(`a ${action} policy without rules matches nothing`);
  const policy = decides ? { id: `${namespace}/${name}`, action, rules } : undefined;
  return { matchLabels, policy, transport, warnings };
}

function readSelector(selector: Fields): Record<string, string> {
  const node = selector.need('matchLabels');
  const labels = readLabels(node);
  selector.finish();
  if (node?.fields().names.length === 0)
    node.problem('an empty selector; leave the selector out to mean every workload');
  return labels;
}

function readRule(node: ConfigNode): PolicyRule {
  const fields = node.fields();
  const from = alternatives(fields.get('from'), readSource);
  const to = alternatives(fields.get('to'), readTarget);
  fields.finish();
  return { from, to };
}

/** The entries of `from` or `to`; absent means all, so an empty list is taken for a mistake. */
function alternatives<T>(node: ConfigNode | undefined, read: (fields: Fields) => T): T[] {
  if (node === undefined) return [];
  const items = limited(node, MAX_ENTRIES, 'entries');
  if (items.length === 0) node.problem('an empty list matches nothing; leave the field out to match all');
  return items.map(item => {
    const fields = item.fields();
    if (fields.names.length === 0) item.problem('an entry without fields; leave the list out to match all');
    const entry = read(fields);
    fields.finish();
    return entry;
  });
}

function readSource(fields: Fields): SourceMatch {
  return withoutAbsent({
    identities: entries(fields.get('identities'), readIdentity),
    notIdentities: entries(fields.get('notIdentities'), readIdentity),
    namespaces: entries(fields.get('namespaces'), readNamespacePattern),
    notNamespaces: entries(fields.get('notNamespaces'), readNamespacePattern),
    ipBlocks: entries(fields.get('ipBlocks'), readBlock),
    notIpBlocks: entries(fields.get('notIpBlocks'), readBlock),
  });
}

function readTarget(fields: Fields): TargetMatch {
  return withoutAbsent({
    ports: entries(fields.get('ports'), readPort),
    notPorts: entries(fields.get('notPorts'), readPort),
  });
}

function entries<T>(
  node: ConfigNode | undefined,
  read: (node: ConfigNode) => T | undefined,
): T[] | undefined {
  if (node === undefined) return undefined;
  const items = limited(node, MAX_ENTRIES, 'entries');
  if (items.length === 0) node.problem('an empty list; leave the field out to match all');
  return items.map(read).filter(entry => entry !== undefined);
}

function limited(node: ConfigNode | undefined, max: number, what: string): ConfigNode[] {
  const items = node?.items() ?? [];
  if (items.length <= max) return items;
  node?.problem(`${items.length} ${what}: at most ${max}`);
  return [];
}

function readIdentity(node: ConfigNode): string | undefined {
  const text = node.string();
  if (text === undefined) return undefined;
  const problem = identityProblem(text);
  if (problem === undefined) return text;
  node.problem(problem);
  return undefined;
}

function identityProblem(text: string): string | undefined {
  const wildcard = wildcardProblem(text);
  if (wildcard !== undefined) return wildcard;
  if (text.startsWith('*')) return undefined;
  const scheme = 'spiffe://';
  if (text.endsWith('*')) {
    const prefix = text.slice(0, -1);
    if (prefix.startsWith(scheme) || scheme.startsWith(prefix)) return undefined;
    return `'${text}' matches no identity: a SPIFFE id begins with '${scheme}'`;
  }
  if (tryParseSpiffe(text) !== undefined) return undefined;
  const hint = text.startsWith(scheme) ? '' : `; did you mean '${scheme}${text}'?`;
  return `'${text}' is no SPIFFE id of the form 'spiffe://<trust domain>/ns/<namespace>/sa/<service account>'${hint}`;
}

function readNamespacePattern(node: ConfigNode): string | undefined {
  const text = node.string();
  if (text === undefined) return undefined;
  const literal = text.replace(/^\*|\*$/, '');
  // A part of a label may begin or end with '-', a whole one may not.
  const problem =
    wildcardProblem(text) ??
    (literal === text ? dnsLabelProblem(text) : literal === '' ? undefined : dnsLabelProblem(`a${literal}a`));
  if (problem === undefined) return text;
  node.problem(problem);
  return undefined;
}

/** Exact, `prefix*`, `*suffix` or `*`: one star, at one end. */
function wildcardProblem(text: string): string | undefined {
  if (text === '') return 'an empty text matches nothing';
  const star = text.indexOf('*');
  const single = star < 0 || (star === text.lastIndexOf('*') && (star === 0 || star === text.length - 1));
  return single ? undefined : `'${text}': one '*' is allowed, at the beginning or at the end`;
}

function readBlock(node: ConfigNode): string | undefined {
  const text = node.string();
  if (text === undefined) return undefined;
  if (CidrBlock.parse(text) !== undefined) return text;
  node.problem(`'${text}' is no address block such as '10.0.0.0/8' or '2001:db8::/32'`);
  return undefined;
}

function readPort(node: ConfigNode): number | undefined {
  return node.integer(1, MAX_PORT);
}

function readTransport(fields: Fields): Transport {
  const mode = fields.need('mode')?.oneOf(MODES);
  const ports: Record<string, (typeof MODES)[number]> = {};
  const list = fields.get('ports')?.fields();
  for (const port of list?.names ?? []) {
    const node = list?.get(port);
    if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > MAX_PORT)
      (node ?? fields.node).problem(`'${port}' is no port: 1 to ${MAX_PORT}`);
    const portMode = node?.oneOf(MODES);
    if (node === undefined) fields.node.problem(`port ${port} has no mode`);
    if (portMode !== undefined) ports[port] = portMode;
  }
  fields.finish();
  // A mode that could not be read never takes effect: the document has a problem then.
  return { mode: mode ?? 'strict', ports };
}

/** Without the fields that are undefined, so that equal policies are equal texts. */
function withoutAbsent<T extends object>(entry: T): T {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as T;
}
