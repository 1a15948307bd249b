/**
 * `AuthorizationPolicy`: its document, checked and compiled to what node proxies enforce. Whatever could be
 * read as "matches everything" by accident (an empty list, an empty entry, a field with nothing behind it) is
 * refused. Who means everyone writes it: `identities: ["*"]` is everyone with an identity of the mesh,
 * `ipBlocks: ["0.0.0.0/0", "::/0"]` is really everyone.
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
const EVERYONE =
  "to mean everyone, write from: [{ipBlocks: ['0.0.0.0/0', '::/0']}], or [{identities: ['*']}] for everyone in the mesh";

/** @param spec the fields of `spec`; every problem is reported there. */
export function readAuthorizationPolicy({ namespace, name }: Metadata, spec: Fields): CompiledPolicy {
  const selector = optional(spec, 'selector')?.fields();
  const matchLabels = selector === undefined ? undefined : readSelector(selector);
  const actionNode = optional(spec, 'action');
  const action = actionNode?.oneOf(ACTIONS) ?? 'ALLOW';
  const rulesNode = optional(spec, 'rules');
  const rules = limited(rulesNode, MAX_RULES, 'rules').map(readRule);
  const transportNode = optional(spec, 'transport');
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

/** A field that may be left out. One that is written and has no value was meant to say something. */
function optional(fields: Fields, name: string): ConfigNode | undefined {
  const node = fields.get(name);
  if (node === undefined && fields.names.includes(name))
    fields.node.problem(`'${name}' has no value: give it one, or leave the field out`);
  return node;
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
  if (isEmpty(node)) node.problem(`a rule without fields matches everything; ${EVERYONE}`);
  const from = alternatives(optional(fields, 'from'), readSource);
  const to = alternatives(optional(fields, 'to'), readTarget);
  fields.finish();
  return { from, to };
}

/** A mapping without fields. Whatever is no mapping has been reported as such. */
function isEmpty({ value }: ConfigNode): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** The entries of `from` or `to`; absent means all, so an empty list is taken for a mistake. */
function alternatives<T>(node: ConfigNode | undefined, read: (fields: Fields) => T): T[] {
  if (node === undefined) return [];
  const items = limited(node, MAX_ENTRIES, 'entries');
  if (items.length === 0) node.problem('an empty list matches nothing; leave the field out to match all');
  return items.map(item => {
    const fields = item.fields();
    if (isEmpty(item)) item.problem(`an entry without fields matches everything; ${EVERYONE}`);
    const entry = read(fields);
    fields.finish();
    return entry;
  });
}

function readSource(fields: Fields): SourceMatch {
  return withoutAbsent({
    identities: entries(optional(fields, 'identities'), readIdentity),
    notIdentities: entries(optional(fields, 'notIdentities'), readIdentity),
    namespaces: entries(optional(fields, 'namespaces'), readNamespacePattern),
    notNamespaces: entries(optional(fields, 'notNamespaces'), readNamespacePattern),
    ipBlocks: entries(optional(fields, 'ipBlocks'), readBlock),
    notIpBlocks: entries(optional(fields, 'notIpBlocks'), readBlock),
  });
}

function readTarget(fields: Fields): TargetMatch {
  return withoutAbsent({
    ports: entries(optional(fields, 'ports'), readPort),
    notPorts: entries(optional(fields, 'notPorts'), readPort),
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
  const list = optional(fields, 'ports')?.fields();
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
