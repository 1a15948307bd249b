/**
 * What each node must know of itself, as one value: its workloads with the policies that hold for them, and what is
 * to be done with HTTP where anything asks for it. A change of a policy wakes only the nodes for whose workloads
 * something changed.
 */

import type { NodeState, NodeWorkload, Policy, WorkloadHttp } from '#api';
import { Derived, type Use } from '#base/derived.ts';
import { Cell, type Watchable } from '#base/watch.ts';
import { keyOf, type Registry, type Workload, type WorkloadState } from '../registry/index.ts';
import type { PolicyResource } from '../resources/index.ts';
import { type NamespaceHttp, NamespacePorts, workloadHttp } from '../routing/index.ts';
import type { Documents } from '../store/index.ts';
import { PolicyIndex } from './policy-index.ts';

export class NodeStates {
  readonly #registry: Pick<Registry, 'watchNode'>;
  readonly #index: Watchable<PolicyIndex>;
  readonly #routing: HttpAsked | undefined;

  /** @param policies those in force. @param routing without it, only policies and workloads ask for HTTP. */
  constructor(
    registry: Pick<Registry, 'watchNode'>,
    policies: Watchable<Documents<PolicyResource>>,
    meshNamespace: string,
    routing?: HttpAsked,
  ) {
    this.#registry = registry;
    this.#index = indexed(policies, meshNamespace);
    this.#routing = routing;
  }

  /** A node without workloads has a state too: an empty one. */
  watch(node: string): Watchable<NodeState> {
    return new Derived(use => {
      const workloads = use('workloads', () => this.#registry.watchNode(node));
      return nodeState(
        node,
        workloads,
        use('policies', () => this.#index),
        (workload, asked) => this.#http(use, workload, asked),
      );
    }, sameState);
  }

  /** What ports speak is only watched where it is wanted. */
  #http(use: Use, workload: Workload, asked: boolean): WorkloadHttp | undefined {
    const routing = this.#routing;
    const { namespace } = workload;
    const of = () => routing?.namespace(namespace) ?? NOTHING_ASKED;
    return workloadHttp(
      workload,
      asked,
      use(`asking ${namespace}`, () => of().asking),
      () => use(`ports ${namespace}`, () => of().ports),
    );
  }
}

/** What services and traffic policies say about the workloads of a namespace. */
export interface HttpAsked {
  namespace(namespace: string): NamespaceHttp;
}

const NOTHING_ASKED: NamespaceHttp = {
  asking: new Cell([]),
  ports: new Cell(new NamespacePorts([], [])),
};

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

/** @param http what is to be done with HTTP that arrives for a workload; `asked`: a policy asks for it. */
export function nodeState(
  node: string,
  workloads: readonly WorkloadState[],
  index: PolicyIndex,
  http: (workload: Workload, asked: boolean) => WorkloadHttp | undefined,
): NodeState {
  const policies = new Map<string, Policy>();
  const governed = workloads.map((state): NodeWorkload => {
    const applied = index.applied(state.workload);
    for (const policy of applied.policies) policies.set(policy.id, policy);
    const { workload, identity, mesh } = state;
    const understood = http(workload, applied.http);
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
      ...(understood === undefined ? {} : { http: understood }),
    };
  });
  const sorted = [...policies.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { node, workloads: governed, policies: sorted };
}

function sameState(a: NodeState, b: NodeState): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
