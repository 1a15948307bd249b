/** The routes and policies of the HTTP scenarios, as their users would write them. Data only. */

import { CALCULATOR } from '../../inventory.ts';
import { TRUST_DOMAIN } from '../../mesh/namerd.ts';

export interface Document {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
  spec: object;
}

/** A Gateway API route with the calculator's service of the same name as parent. */
export function httpRoute(service: string, rules: readonly object[]): Document {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: service, namespace: CALCULATOR },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: service }], rules },
  };
}

/** Where a rule of a route leads. */
export function backend(name: string, port: number, weight?: number): object {
  return weight === undefined ? { name, port } : { name, port, weight };
}

/** How the clients of the service of the same name behave. */
export function trafficPolicy(service: string, spec: object, namespace = CALCULATOR): Document {
  return {
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'TrafficPolicy',
    metadata: { name: service, namespace },
    spec: { targetRef: { kind: 'Service', name: service }, ...spec },
  };
}

/** Who may ask the application of a service for what. */
export function authorization(name: string, app: string, spec: object, namespace = CALCULATOR): Document {
  return {
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace },
    spec: { selector: { matchLabels: { app } }, ...spec },
  };
}

/** The SPIFFE id of a calculator's service account. */
export function identity(serviceAccount: string, namespace = CALCULATOR): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${serviceAccount}`;
}
