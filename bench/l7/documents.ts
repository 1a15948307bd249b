/** What switches HTTP on in our mesh: the documents that a user would write. */

import { workloadId } from '#trust';
import type { ServiceSpec } from '../../deploy/demo/inventory.ts';
import { TRUST_DOMAIN } from '../../deploy/demo/mesh/namerd.ts';
import { RULES, type Rule } from '../contenders/http/doors.ts';

/** Routes for the callers' node; everything else about requests stays at its defaults. */
export function route({ namespace, name, port }: ServiceSpec): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name }],
      rules: RULES.map(rule => ({
        name: rule.name,
        matches: [match(rule)],
        backendRefs: [{ name, port }],
      })),
    },
  };
}

function match(rule: Rule): object {
  if ('exact' in rule) return { path: { type: 'Exact', value: rule.exact } };
  if ('prefix' in rule) return { path: { type: 'PathPrefix', value: rule.prefix } };
  return { headers: [{ name: rule.header, value: rule.value }] };
}

/** Rules about requests for the servers' node. @param clients service account */
export function authorization({ namespace, name, selector }: ServiceSpec, clients: string): object {
  const from = () => [{ identities: [workloadId(TRUST_DOMAIN, namespace, clients)] }];
  return {
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: selector },
      rules: [
        { from: from(), to: [{ methods: ['GET', 'POST'], paths: ['/bytes/*', '/health'] }] },
        { from: from(), to: [{ methods: ['POST'], paths: ['/bench.Source/*'] }] },
      ],
    },
  };
}
