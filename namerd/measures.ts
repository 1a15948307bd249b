/** namerd's own metrics and dumps: what its parts hold, asked for when somebody looks. */

import type { Mesh } from './mesh.ts';
import { KINDS } from './resources/index.ts';
import type { Metrics } from './serve/admin/metrics.ts';
import type { HttpServer } from './serve/http/server.ts';
import type { MeshState } from './state.ts';
import { storeOf } from './store/index.ts';

export interface Measured {
  state: MeshState;
  mesh: Mesh | undefined;
  servers: () => Readonly<Record<string, HttpServer | undefined>>;
}

export function measure(metrics: Metrics, { state, mesh, servers }: Measured): void {
  const { storage, registry, statuses } = state;
  const single = (name: string, help: string, read: () => number) =>
    metrics.gauge(name, help, [], () => [[{}, read()]]);
  metrics.gauge('namerd_stored_documents', 'Documents in the storage by kind.', ['kind'], () =>
    KINDS.map(kind => [{ kind }, storeOf(storage, kind).documents.current.size]),
  );
  single('namerd_registry_services', 'Services in the registry.', () => registry.services().length);
  single('namerd_registry_workloads', 'Workloads in the registry.', () => registry.workloads().length);
  metrics.gauge('namerd_object_problems', 'Errors and warnings about objects, by state.', ['state'], () => {
    const all = Map.groupBy(statuses(), ({ state }) => state);
    return [...all].map(([state, list]) => [{ state }, list.length] as const);
  });
  metrics.gauge('namerd_http_streams', 'Open watch streams by server.', ['server'], () =>
    Object.entries(servers()).map(([server, each]) => [{ server }, each?.streams ?? 0] as const),
  );
  if (mesh === undefined) return;
  single('namerd_mesh_connections', 'Connections of node proxies.', () => mesh.server.stats().connections);
  single('namerd_mesh_nodes', 'Nodes whose proxy watches now.', () => mesh.server.stats().nodes.length);
  single('namerd_mesh_watches', 'Watches of all node proxies.', () => mesh.server.stats().watches);
  single('namerd_mesh_topics', 'Distinct things that are watched.', () => mesh.server.stats().topics);
  single(
    'namerd_mesh_behind',
    'States that a slow proxy has not taken yet.',
    () => mesh.server.stats().behind,
  );
  metrics.gauge('namerd_ca_root_expiry_seconds', 'When roots expire, by phase.', ['phase'], () =>
    mesh.authority.status().roots.map(({ phase, notAfter }) => [{ phase }, notAfter / 1000] as const),
  );
}

/** Versions by kind and key: what a human compares with an ETag. */
export function storageDump({ storage }: MeshState): unknown {
  return Object.fromEntries(
    KINDS.map(kind => {
      const documents = [...storeOf(storage, kind).documents.current];
      return [kind, Object.fromEntries(documents.map(([key, { version }]) => [key, version]))];
    }),
  );
}
