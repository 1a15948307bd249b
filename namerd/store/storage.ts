/** The storage of a namerd: one store for each kind of document. */

import { join } from 'node:path';
import { type Clock, systemClock } from '#base/clock.ts';
import { Scope } from '#base/lifecycle.ts';
import { Cell, type Watchable } from '#base/watch.ts';
import {
  type DtabResource,
  datedResource,
  type GrantResource,
  type GrpcRouteResource,
  type HttpRouteResource,
  KIND_FACTS,
  type Kind,
  type ObjectStatus,
  type PolicyResource,
  type Resource,
  type ResourceOf,
  type ServiceResource,
  sortStatus,
  type TrafficResource,
  type WorkloadResource,
} from '../resources/index.ts';
import type { AsStored, DocumentStore } from './document-store.ts';
import { resourceCodec } from './file/document-codec.ts';
import { FileStore } from './file/file-store.ts';
import { MemoryStore } from './memory-store.ts';

export interface Storage {
  /** The configured kind, for humans. */
  readonly kind: string;
  readonly dtabs: DocumentStore<DtabResource>;
  readonly policies: DocumentStore<PolicyResource>;
  readonly traffic: DocumentStore<TrafficResource>;
  readonly httpRoutes: DocumentStore<HttpRouteResource>;
  readonly grpcRoutes: DocumentStore<GrpcRouteResource>;
  readonly grants: DocumentStore<GrantResource>;
  readonly services: DocumentStore<ServiceResource>;
  readonly workloads: DocumentStore<WorkloadResource>;
  /** Stored documents that cannot be used as they are. */
  readonly problems: Watchable<readonly ObjectStatus[]>;
  close(): Promise<void>;
}

/** The store of a kind. */
export function storeOf(storage: Storage, kind: Kind): DocumentStore<Resource> {
  const stores: Record<Kind, unknown> = {
    Dtab: storage.dtabs,
    AuthorizationPolicy: storage.policies,
    TrafficPolicy: storage.traffic,
    HTTPRoute: storage.httpRoutes,
    GRPCRoute: storage.grpcRoutes,
    ReferenceGrant: storage.grants,
    Service: storage.services,
    Workload: storage.workloads,
  };
  // Each store only ever meets resources of its own kind: callers look the store up by the resource's kind.
  return stores[kind] as DocumentStore<Resource>;
}

/** `io.l5d.inMemory` */
export function memoryStorage(
  dtabs: Iterable<DtabResource> = [],
  { clock = systemClock }: { clock?: Clock } = {},
): Storage {
  const open = <K extends Kind>(_kind: K) =>
    new MemoryStore<ResourceOf<K>>([], { asStored: dating<ResourceOf<K>>(clock) });
  return {
    kind: 'io.l5d.inMemory',
    dtabs: new MemoryStore(
      [...dtabs].map(dtab => [dtab.metadata.name, dtab] as const),
      { asStored: dating<DtabResource>(clock) },
    ),
    policies: open('AuthorizationPolicy'),
    traffic: open('TrafficPolicy'),
    httpRoutes: open('HTTPRoute'),
    grpcRoutes: open('GRPCRoute'),
    grants: open('ReferenceGrant'),
    services: open('Service'),
    workloads: open('Workload'),
    problems: new Cell<readonly ObjectStatus[]>([]),
    close: async () => {},
  };
}

/** Notes when a document was created. */
function dating<R extends Resource>(clock: Clock): AsStored<R> {
  return (written, before) => datedResource(written, before, clock.now());
}

/** `io.nodemesh.file`: `<dir>/<plural of the kind>/…`. @throws StorageError */
export async function fileStorage({
  dir,
  clock = systemClock,
}: {
  dir: string;
  clock?: Clock;
}): Promise<Storage> {
  const scope = new Scope();
  const open = async <K extends Kind>(kind: K): Promise<FileStore<ResourceOf<K>>> => {
    const place = { dir: join(dir, KIND_FACTS[kind].plural), codec: resourceCodec(kind) };
    return scope.own(kind, await FileStore.open({ ...place, clock, asStored: dating(clock) }));
  };
  try {
    const dtabs = await open('Dtab');
    const policies = await open('AuthorizationPolicy');
    const traffic = await open('TrafficPolicy');
    const httpRoutes = await open('HTTPRoute');
    const grpcRoutes = await open('GRPCRoute');
    const grants = await open('ReferenceGrant');
    const services = await open('Service');
    const workloads = await open('Workload');
    const stores = { dtabs, policies, traffic, httpRoutes, grpcRoutes, grants, services, workloads };
    return {
      kind: 'io.nodemesh.file',
      ...stores,
      problems: allProblems(Object.values(stores)),
      close: () => scope.close(),
    };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

/** Lives as long as the stores. */
function allProblems(
  stores: readonly { problems: Watchable<readonly ObjectStatus[]> }[],
): Watchable<readonly ObjectStatus[]> {
  const all = new Cell<readonly ObjectStatus[]>([]);
  for (const store of stores)
    store.problems.observe(() => all.set(sortStatus(stores.flatMap(each => each.problems.current))));
  return all;
}
