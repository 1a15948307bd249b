/** Every object that namerd knows of any kind, wherever it was written, with what is to be said about it. */

import type { RegistrySnapshot, Service, Sourced, Workload } from '../../registry/index.ts';
import {
  type JsonObject,
  type Kind,
  type ObjectStatus,
  plainResource,
  resourceKey,
  type StatusState,
  sortStatus,
} from '../../resources/index.ts';
import { type Storage, storeOf } from '../../store/index.ts';

export interface CatalogParts {
  storage: Storage;
  /** What files of the registry hold: read only, and in force before the storage. */
  registryFiles: () => RegistrySnapshot;
  /** Everything that is to be said about any object. */
  statuses: () => readonly ObjectStatus[];
}

/** An object as shown: the document with a `status`. */
export type ShownObject = JsonObject & { status: { state: StatusState; source: string; messages: string[] } };

export class Catalog {
  readonly #parts: CatalogParts;

  constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  get storage(): Storage {
    return this.#parts.storage;
  }

  /** Errors and warnings first. */
  statuses(): ObjectStatus[] {
    return sortStatus(this.#parts.statuses());
  }

  /** All objects of a kind, by key. */
  list(kind: Kind): ShownObject[] {
    const statuses = this.statuses();
    const stored = [...storeOf(this.storage, kind).documents.current];
    const objects = [
      ...stored.map(([key, { value, version }]) => ({
        key,
        shown: shown(plainResource(value, version), kind, key, 'storage', statuses),
      })),
      ...this.#inFiles(kind).map(({ key, resource, source }) => ({
        key,
        shown: shown(resource, kind, key, source, statuses),
      })),
    ];
    return objects.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ shown }) => shown);
  }

  get(kind: Kind, key: string): { object: ShownObject; version: string | undefined } | undefined {
    const file = this.#inFiles(kind).find(each => each.key === key);
    if (file !== undefined) {
      const object = shown(file.resource, kind, key, file.source, this.statuses());
      return { object, version: undefined };
    }
    const stored = storeOf(this.storage, kind).documents.current.get(key);
    if (stored === undefined) return undefined;
    const { value, version } = stored;
    return { object: shown(plainResource(value, version), kind, key, 'storage', this.statuses()), version };
  }

  /** The file of the registry that holds the object, if any. */
  fileOf(kind: Kind, key: string): string | undefined {
    return this.#inFiles(kind).find(each => each.key === key)?.source;
  }

  #inFiles(kind: Kind): { key: string; resource: JsonObject; source: string }[] {
    const { services, workloads } = this.#parts.registryFiles();
    if (kind === 'Service') return services.map(each => documentOf(kind, each, serviceSpec(each.value)));
    if (kind === 'Workload') return workloads.map(each => documentOf(kind, each, workloadSpec(each.value)));
    return [];
  }
}

function documentOf(kind: Kind, { value, source }: Sourced<Service | Workload>, spec: JsonObject) {
  const { namespace, name, labels, annotations } = value;
  const metadata = { namespace, name, labels, annotations, resourceVersion: undefined };
  return { key: resourceKey(metadata), resource: plainResource({ kind, metadata, spec }), source };
}

/** The model as the document says it, without what it leaves to defaults. */
function serviceSpec({ addresses, ports, selector }: Service): JsonObject {
  return {
    addresses,
    ports: ports.map(({ name, port, target, appProtocol }) => ({
      ...(name === '' ? {} : { name }),
      port,
      ...(target === port ? {} : { targetPort: target }),
      ...(appProtocol === '' ? {} : { appProtocol }),
    })),
    selector,
  };
}

function workloadSpec(workload: Workload): JsonObject {
  const { node, serviceAccount, addresses, ports, zone, weight, ready, terminating } = workload;
  return {
    node,
    serviceAccount,
    addresses,
    ...(Object.keys(ports).length === 0 ? {} : { ports }),
    ...(zone === '' ? {} : { zone }),
    ...(weight === 1 ? {} : { weight }),
    ...(ready ? {} : { ready }),
    ...(terminating ? { terminating } : {}),
  };
}

function shown(
  document: JsonObject,
  kind: Kind,
  key: string,
  source: string,
  statuses: readonly ObjectStatus[],
): ShownObject {
  const own = statuses.filter(status => status.kind === kind && status.key === key);
  const state = own[0]?.state ?? 'ok';
  return { ...document, status: { state, source, messages: own.flatMap(({ messages }) => messages) } };
}
