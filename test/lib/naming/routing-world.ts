/** A storage, the registry upon it and what routes mean there: filled with documents as people write them. */

import type { TestContext } from 'node:test';
import { Registry, storageSource } from '../../../namerd/registry/index.ts';
import { readResources, resourceKey } from '../../../namerd/resources/index.ts';
import { Routing } from '../../../namerd/routing/index.ts';
import { memoryStorage, type Storage, storeOf } from '../../../namerd/store/index.ts';

export interface RoutingWorld {
  storage: Storage;
  registry: Registry;
  routing: Routing;
  /** Stores YAML documents; all of them must be good. */
  apply(text: string): Promise<void>;
}

export async function routingWorld(t: TestContext, text = ''): Promise<RoutingWorld> {
  const storage = memoryStorage();
  const registry = await Registry.open({ sources: [storageSource(storage)], trustDomain: 'mesh.test' });
  t.after(() => registry.close());
  const apply = async (documents: string) => {
    const { resources, problems } = readResources(documents, 'test.yaml');
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    for (const resource of resources)
      await storeOf(storage, resource.kind).put(resourceKey(resource.metadata), resource);
  };
  await apply(text);
  const routing = new Routing({
    routes: [storage.httpRoutes.documents, storage.grpcRoutes.documents],
    policies: storage.traffic.documents,
    grants: storage.grants.documents,
    registry,
  });
  t.after(() => routing.close());
  return { storage, registry, routing, apply };
}

/** @param spec as flow YAML, without the outer braces */
export function serviceYaml(key: string, ports: string, more = ''): string {
  const { namespace, name } = split(key);
  return `---
apiVersion: nodemesh.io/v1alpha1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}${more}}
spec: {ports: [${ports}], selector: {app: ${name}}}
`;
}

export function workloadYaml(key: string, app: string, more = ''): string {
  const { namespace, name } = split(key);
  return `---
apiVersion: nodemesh.io/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${app}}${more}}
spec: {node: node-1, ports: {web: 8081}}
`;
}

/** @param rules as flow YAML, without brackets */
export function routeYaml(key: string, parent: string, rules: string, kind = 'HTTPRoute'): string {
  const { namespace, name } = split(key);
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  parentRefs: [{group: '', kind: Service, ${parent}}]
  rules: [${rules}]
`;
}

/** @param from as flow YAML, without brackets and groups. @param to as flow YAML, without brackets */
export function grantYaml(key: string, from: string, to = "{group: '', kind: Service}"): string {
  const { namespace, name } = split(key);
  return `---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  from: [${from.replaceAll('{', '{group: gateway.networking.k8s.io, ')}]
  to: [${to}]
`;
}

/** @param spec as flow YAML, without braces */
export function trafficYaml(key: string, target: string, spec = ''): string {
  const { namespace, name } = split(key);
  return `---
apiVersion: nodemesh.io/v1alpha1
kind: TrafficPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec: {targetRef: {kind: Service, ${target}}${spec === '' ? '' : `, ${spec}`}}
`;
}

function split(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}
