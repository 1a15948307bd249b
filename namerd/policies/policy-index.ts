/**
 * Which policies hold for a workload. Three scopes: a policy without selector in the mesh namespace holds for
 * the whole mesh, one without selector elsewhere for its namespace, one with a selector for the workloads of
 * its namespace that have all its labels.
 */

import type { Policy, TargetMatch, Transport, TransportMode } from '#api';
import type { PolicyResource } from '../resources/index.ts';

/** What a workload does with plaintext when no policy says otherwise. */
export const DEFAULT_TRANSPORT: Transport = { mode: 'permissive', ports: {} };

export interface Governed {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type Scope = 'mesh' | 'namespace' | 'workload';

export interface AppliedPolicies {
  /** In the order in which they are tried: DENY, ALLOW, AUDIT; within an action the wider scope first. */
  readonly policies: readonly Policy[];
  readonly transport: Transport;
  /** One of them says something about requests. */
  readonly http: boolean;
}

const SCOPES: readonly Scope[] = ['mesh', 'namespace', 'workload'];
const ACTIONS = ['DENY', 'ALLOW', 'AUDIT'] as const;

interface NamespacePolicies {
  readonly whole: readonly PolicyResource[];
  readonly selecting: readonly PolicyResource[];
}

export class PolicyIndex {
  readonly #meshNamespace: string;
  readonly #wholeMesh: readonly PolicyResource[];
  readonly #byNamespace: ReadonlyMap<string, NamespacePolicies>;
  readonly #ofRequests: ReadonlySet<Policy>;

  /** @param policies sorted by key, so that equal sets give equal answers. */
  constructor(policies: Iterable<PolicyResource>, meshNamespace: string) {
    this.#meshNamespace = meshNamespace;
    const all = [...policies];
    this.#ofRequests = new Set(
      all.flatMap(({ value: { policy } }) => (policy !== undefined && readsRequests(policy) ? [policy] : [])),
    );
    this.#wholeMesh = all.filter(policy => this.scopeOf(policy) === 'mesh');
    const rest = all.filter(policy => this.scopeOf(policy) !== 'mesh');
    const groups = Map.groupBy(rest, policy => policy.metadata.namespace);
    this.#byNamespace = new Map(
      [...groups].map(([namespace, own]) => {
        const whole = own.filter(policy => !isSelecting(policy));
        return [namespace, { whole, selecting: own.filter(isSelecting) }];
      }),
    );
  }

  scopeOf({ metadata, value }: PolicyResource): Scope {
    if (value.matchLabels !== undefined) return 'workload';
    return metadata.namespace === this.#meshNamespace ? 'mesh' : 'namespace';
  }

  applied(workload: Governed): AppliedPolicies {
    const holding = this.#holding(workload);
    const policies = ACTIONS.flatMap(action =>
      holding.flatMap(({ value: { policy } }) => (policy?.action === action ? [policy] : [])),
    );
    const http = this.#ofRequests.size > 0 && policies.some(policy => this.#ofRequests.has(policy));
    return { policies, transport: this.#transport(holding), http };
  }

  /** The policies that hold for the workload, the wider scope first. */
  #holding(workload: Governed): PolicyResource[] {
    const own = this.#byNamespace.get(workload.namespace);
    if (own === undefined) return [...this.#wholeMesh];
    const { whole, selecting } = own;
    return [...this.#wholeMesh, ...whole, ...selecting.filter(policy => selects(policy, workload))];
  }

  /** The narrowest scope that says anything decides; within a scope the strictest answer for each port. */
  #transport(holding: readonly PolicyResource[]): Transport {
    for (const scope of SCOPES.toReversed()) {
      const said = holding.filter(
        policy => policy.value.transport !== undefined && this.scopeOf(policy) === scope,
      );
      if (said.length > 0) return strictest(said.map(({ value }) => value.transport ?? DEFAULT_TRANSPORT));
    }
    return DEFAULT_TRANSPORT;
  }
}

const HTTP_FIELDS = [
  'methods',
  'notMethods',
  'paths',
  'notPaths',
  'hosts',
  'notHosts',
  'headers',
] as const satisfies readonly (keyof TargetMatch)[];

/** Whether any of its rules can only be decided by looking at requests. */
export function readsRequests({ rules }: Policy): boolean {
  return rules.some(({ to }) => to.some(isOfRequests));
}

/** Whether it has a condition on requests, beside those on connections. */
export function isOfRequests(target: TargetMatch): boolean {
  return HTTP_FIELDS.some(field => target[field] !== undefined);
}

/** Is the workload one of those that the policy's selector means? The namespace must be compared before. */
export function selects({ value: { matchLabels } }: PolicyResource, { labels }: Governed): boolean {
  return Object.entries(matchLabels ?? {}).every(([label, value]) => labels[label] === value);
}

function isSelecting({ value }: PolicyResource): boolean {
  return value.matchLabels !== undefined;
}

function strictest(transports: readonly Transport[]): Transport {
  const [only, ...others] = transports;
  if (only === undefined || others.length === 0) return only ?? DEFAULT_TRANSPORT;
  const hardest = (modes: readonly TransportMode[]) => (modes.includes('strict') ? 'strict' : 'permissive');
  const ports = new Set(transports.flatMap(transport => Object.keys(transport.ports)));
  return {
    mode: hardest(transports.map(({ mode }) => mode)),
    ports: Object.fromEntries(
      [...ports]
        .sort()
        .map(port => [port, hardest(transports.map(({ mode, ports }) => ports[port] ?? mode))]),
    ),
  };
}
