/** What is to be said about policies that are in force but may not do what was meant. */

import { keyOf, type WorkloadState } from '../registry/index.ts';
import type { ObjectStatus, PolicyResource } from '../resources/index.ts';
import type { Documents } from '../store/index.ts';
import { PolicyIndex, selects } from './policy-index.ts';

/** One status for each policy, in their order. */
export function policyStatus(
  documents: Documents<PolicyResource>,
  workloads: readonly WorkloadState[],
  meshNamespace: string,
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
    return {
      kind: 'AuthorizationPolicy',
      key,
      source: 'storage',
      state: messages.length > 0 ? 'warning' : 'ok',
      messages,
    };
  });
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
