/**
 * What each node must know of itself, as one value: its workloads with the policies that hold for them. A
 * change of a policy wakes only the nodes for whose workloads something changed.
 */

import type { NodeState, NodeWorkload, Policy } from '#api';
import { Derived } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import { keyOf, type Registry, type WorkloadState } from '../registry/index.ts';
import type { PolicyResource } from '../resources/index.ts';
import type { Documents } from '../store/index.ts';
import { PolicyIndex } from './policy-index.ts';

export class NodeStates {
  readonly #registry: Pick<Registry, 'watchNode'>;
  readonly #index: Watchable<PolicyIndex>;

  /** @param policies those in force. */
  constructor(
    registry: Pick<Registry, 'watchNode'>,
    policies: Watchable<Documents<PolicyResource>>,
    meshNamespace: string,
  ) {
    this.#registry = registry;
    this.#index = indexed(policies, meshNamespace);
  }

  /** A node without workloads has a state too: an empty one. */
  watch(node: string): Watchable<NodeState> {
    return new Derived(use => {
      const workloads = use('workloads', () => this.#registry.watchNode(node));
      return nodeState(
        node,
        workloads,
        use('policies', () => this.#index),
      );
    }, sameState);
  }
}

/** One index for all nodes, built once per change and only while somebody watches. */
function indexed(
  policies: Watchable<Documents<PolicyResource>>,
  meshNamespace: string,
): Watchable<PolicyIndex> {
  return new Derived(use => {
    const documents = use('documents', () => policies);
    return new PolicyIndex(
      [...documents.values()].map(({ value }) => value),
      meshNamespace,
    );
  });
}

export function nodeState(node: string, workloads: readonly WorkloadState[], index: PolicyIndex): NodeState {
  const policies = new Map<string, Policy>();
  const governed = workloads.map((state): NodeWorkload => {
    const applied = index.applied(state.workload);
    for (const policy of applied.policies) policies.set(policy.id, policy);
    const { workload, identity, mesh } = state;
    return {
      workload: keyOf(workload),
      namespace: workload.namespace,
      name: workload.name,
      serviceAccount: workload.serviceAccount,
      identity,
      addresses: workload.addresses,
      labels: workload.labels,
      mesh,
      terminating: workload.terminating,
      policies: applied.policies.map(({ id }) => id),
      transport: applied.transport,
    };
  });
  const sorted = [...policies.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { node, workloads: governed, policies: sorted };
}

function sameState(a: NodeState, b: NodeState): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
