/** `Service` and `Workload` documents that were applied to namerd's storage. */

import { Cell, type Watchable } from '#base/watch.ts';
import type { ObjectStatus, ServiceResource, WorkloadResource } from '../../resources/index.ts';
import type { Documents } from '../../store/index.ts';
import type { RegistrySnapshot, RegistrySource, Sourced } from '../model.ts';

export interface StoredDocuments {
  services: { readonly documents: Watchable<Documents<ServiceResource>> };
  workloads: { readonly documents: Watchable<Documents<WorkloadResource>> };
}

/** Lives as long as the storage. Problems of stored documents are told by the storage itself. */
export function storageSource({ services, workloads }: StoredDocuments): RegistrySource {
  const read = (): RegistrySnapshot => ({
    services: valuesOf(services.documents.current),
    workloads: valuesOf(workloads.documents.current),
  });
  const snapshot = new Cell(read());
  services.documents.observe(() => snapshot.set(read()));
  workloads.documents.observe(() => snapshot.set(read()));
  return { snapshot, status: new Cell<readonly ObjectStatus[]>([]) };
}

function valuesOf<T>(documents: Documents<{ value: T }>): Sourced<T>[] {
  return [...documents.values()].map(({ value: resource }) => ({ value: resource.value, source: 'storage' }));
}
