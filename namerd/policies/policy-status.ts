/** What is to be said about policies that are in force but may not do what was meant. */

import { keyOf, type WorkloadState } from '../registry/index.ts';
import type { ObjectStatus, PolicyResource } from '../resources/index.ts';
import type { NamespacePorts } from '../routing/index.ts';
import type { Documents } from '../store/index.ts';
import { isOfRequests, PolicyIndex, selects } from './policy-index.ts';

/**
 * One status for each policy, in their order.
 * @param portsOf what ports of workloads speak
 */
export function policyStatus(
  documents: Documents<PolicyResource>,
  workloads: readonly WorkloadState[],
  meshNamespace: string,
  portsOf?: (namespace: string) => NamespacePorts,
): ObjectStatus[] {
  const policies = [...documents].map(([key, { value }]) => ({ key, policy: value }));
  const index = new PolicyIndex(
    policies.map(({ policy }) => policy),
    meshNamespace,
  );
  const byNamespace = Map.groupBy(workloads, ({ workload }) => workload.namespace);
  // Only policies that set the transport can be rivals, and only within a namespace.
  const transports = Map.groupBy(
    policies.flatMap(({ policy }) => (policy.value.transport === undefined ? [] : [policy])),
    ({ metadata }) => metadata.namespace,
  );
  return policies.map(({ key, policy }) => {
    const scope = index.scopeOf(policy);
    const candidates = byNamespace.get(policy.metadata.namespace) ?? [];
    const messages = [...policy.value.warnings];
    if (scope === 'namespace' && candidates.length === 0)
      messages.push(`no workload is in namespace '${policy.metadata.namespace}'`);
    const selected = candidates.filter(({ workload }) => selects(policy, workload));
    if (scope === 'workload' && selected.length === 0) messages.push('the selector matches no workload');
    const others = transports.get(policy.metadata.namespace) ?? [];
    messages.push(...rivals(policy, others, index, selected));
    if (portsOf !== undefined && scope !== 'mesh')
      messages.push(...unreadable(policy, scope === 'workload' ? selected : candidates, portsOf));
    return {
      kind: 'AuthorizationPolicy',
      key,
      source: 'storage',
      state: messages.length > 0 ? 'warning' : 'ok',
      messages,
    };
  });
}

/** Conditions on requests to ports that are known to carry something else: there ALLOW never matches, DENY always. */
function unreadable(
  { metadata, value: { policy } }: PolicyResource,
  workloads: readonly WorkloadState[],
  portsOf: (namespace: string) => NamespacePorts,
): string[] {
  const targets = (policy?.rules ?? []).flatMap(({ to }) => to.filter(isOfRequests));
  if (targets.length === 0 || workloads.length === 0) return [];
  const named = new Set(targets.flatMap(({ ports = [] }) => ports));
  const unlimited = targets.some(({ ports }) => ports === undefined);
  const declared = portsOf(metadata.namespace);
  const opaque = new Set<number>();
  for (const { workload } of workloads) {
    const ports = Object.entries(declared.of(workload));
    // Without ports a rule is meant for those that speak HTTP, as long as there are any.
    const all = unlimited && ports.every(([, protocol]) => protocol === 'opaque');
    for (const [port, protocol] of ports)
      if (protocol === 'opaque' && (all || named.has(Number(port)))) opaque.add(Number(port));
  }
  if (opaque.size === 0) return [];
  const list = [...opaque].sort((a, b) => a - b).join(', ');
  return [
    `conditions on requests, but port ${list} does not speak HTTP by what is declared: there ALLOW and AUDIT never match, and DENY matches by its other conditions`,
  ];
}

/** Policies of the same scope that set the transport of the same workloads: the strictest answer holds. */
function rivals(
  policy: PolicyResource,
  policies: readonly PolicyResource[],
  index: PolicyIndex,
  selected: readonly WorkloadState[],
): string[] {
  if (policy.value.transport === undefined) return [];
  const scope = index.scopeOf(policy);
  const others = policies.filter(
    other =>
      other !== policy &&
      index.scopeOf(other) === scope &&
      (scope !== 'workload' || selected.some(({ workload }) => selects(other, workload))),
  );
  return others.map(
    other => `${keyOf(other.metadata)} sets the transport too: the stricter mode holds for each port`,
  );
}
