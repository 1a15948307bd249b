/**
 * `AuthorizationPolicy`: its document, checked and compiled to what node proxies enforce. Whatever could be
 * read as "matches everything" by accident (an empty list, an empty entry, a field with nothing behind it) is
 * refused. Who means everyone writes it: `identities: ["*"]` is everyone with an identity of the mesh,
 * `ipBlocks: ["0.0.0.0/0", "::/0"]` is really everyone.
 */

import type { Policy, PolicyAction, PolicyRule, Transport } from '#api';
import type { ConfigNode, Fields } from '#base/config.ts';
import { type Metadata, readLabels } from '../metadata.ts';
import { isEmpty, limited, optional } from '../values/fields.ts';
import { EVERYONE } from './match-list.ts';
import { readSources } from './source-match.ts';
import { readTargets } from './target-match.ts';

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
const MAX_PORT = 65_535;

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
  const from = readSources(optional(fields, 'from'));
  const to = readTargets(optional(fields, 'to'));
  fields.finish();
  return { from, to };
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
