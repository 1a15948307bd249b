/** Routes and policies as a user would store them at namerd, and taken away again. */

import type { NamerdProcess } from '../node-proxy/processes.ts';
import { TRUST_DOMAIN } from '../node-proxy/processes.ts';

export interface Document {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
  spec: object;
}

export async function store({ control }: NamerdProcess, ...documents: Document[]): Promise<void> {
  for (const document of documents) {
    const body = JSON.stringify(document);
    const put = { method: 'PUT', body, type: 'application/json' };
    const { status, body: said } = await control.ask(pathOf(document), put);
    if (status >= 300) throw new Error(`${document.kind} ${document.metadata.name}: ${status} ${said}`);
  }
}

export async function discard({ control }: NamerdProcess, ...documents: Document[]): Promise<void> {
  for (const document of documents) await control.ask(pathOf(document), { method: 'DELETE' });
}

function pathOf({ kind, metadata: { namespace, name } }: Document): string {
  return `/api/1/resources/${kind}/${namespace}/${name}`;
}

/** All requests of the service go to itself, so that it is understood. */
export function route(service: string, rule: object = {}, port = 80): Document {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: `${service}-${port}`, namespace: 'shop' },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: service, port }],
      rules: [{ backendRefs: [{ name: service, port }], ...rule }],
    },
  };
}

export function traffic(service: string, spec: object, namespace = 'shop'): Document {
  return {
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'TrafficPolicy',
    metadata: { name: service, namespace },
    spec: { targetRef: { kind: 'Service', name: service }, ...spec },
  };
}

/** @param app label of the workloads. */
export function authorization(name: string, app: string, spec: object): Document {
  return {
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { selector: { matchLabels: { app } }, ...spec },
  };
}

export function identity(serviceAccount: string, namespace = 'shop'): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${serviceAccount}`;
}
