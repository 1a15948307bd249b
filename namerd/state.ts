/** What namerd knows: the storage, the registry upon files and storage, and what is to be said about both. */

import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Scope } from '#base/lifecycle.ts';
import type { Logger } from '#base/log.ts';
import type { Watchable } from '#base/watch.ts';
import type { NamerdConfig, StorageConfig } from './config.ts';
import { ObjectStatuses } from './policies/index.ts';
import {
  DirectorySource,
  fileEnrolment,
  memoryEnrolment,
  Registry,
  type RegistrySnapshot,
  storageSource,
} from './registry/index.ts';
import { type ObjectStatus, type Resource, sortStatus } from './resources/index.ts';
import { Routing } from './routing/index.ts';
import { fileStorage, memoryStorage, type Storage } from './store/index.ts';

export interface MeshState {
  storage: Storage;
  registry: Registry;
  /** What routes and traffic policies mean for services. */
  routing: Routing;
  /** What the files of the registry hold. */
  registryFiles(): RegistrySnapshot;
  /** Everything that is to be said about any object, errors first. */
  statuses(): ObjectStatus[];
  /** What would be said about the object if it were stored. */
  foresee(resource: Resource): ObjectStatus[];
}

export interface StateOptions {
  config: NamerdConfig;
  /** '' without a mesh. */
  trustDomain: string;
  meshNamespace: string;
  clock: Clock;
  log: Logger;
  /** Closes what is opened here. */
  scope: Scope;
}

/** @throws StorageError, EnrolmentStoreError */
export async function openState(options: StateOptions): Promise<MeshState> {
  const { config, trustDomain, meshNamespace, clock, log, scope } = options;
  const storage = scope.own('storage', await openStorage(config.storage, clock));
  logProblems(storage.problems, log);
  const namer = config.namers.find(({ kind }) => kind === 'io.nodemesh.registry');
  const files =
    namer?.kind === 'io.nodemesh.registry'
      ? scope.own('registry files', await DirectorySource.open({ dir: namer.dir, clock, log }))
      : undefined;
  const stored = storageSource(storage);
  const registry = await Registry.open({
    sources: files === undefined ? [stored] : [files, stored],
    trustDomain,
    enrolment:
      config.storage.kind === 'io.nodemesh.file'
        ? fileEnrolment(join(config.storage.dir, 'enrolment'))
        : memoryEnrolment(),
    log,
  });
  scope.own('registry', registry);
  const { httpRoutes, grpcRoutes, traffic, grants } = storage;
  const routing = new Routing({
    routes: [httpRoutes.documents, grpcRoutes.documents],
    policies: traffic.documents,
    grants: grants.documents,
    registry,
  });
  scope.own('routing', routing);
  const ofObjects = new ObjectStatuses({ storage, registry, meshNamespace, clock });
  return {
    storage,
    registry,
    routing,
    registryFiles: () => files?.snapshot.current ?? { services: [], workloads: [] },
    statuses: () => sortStatus([...storage.problems.current, ...registry.status.current, ...ofObjects.all()]),
    foresee: resource => ofObjects.foresee(resource),
  };
}

function openStorage(config: StorageConfig, clock: Clock): Promise<Storage> | Storage {
  return config.kind === 'io.nodemesh.file'
    ? fileStorage({ dir: config.dir, clock })
    : memoryStorage(config.dtabs, { clock });
}

/** Each problem once, when it appears, and a word when it is mended. */
function logProblems(problems: Watchable<readonly ObjectStatus[]>, log: Logger): void {
  let known = new Map<string, string>();
  problems.observe(list => {
    const now = new Map(list.map(({ source, messages }) => [source, messages.join('\n')]));
    for (const [source, problems] of now)
      if (known.get(source) !== problems)
        log.error({ source, problems }, 'a stored document is not in force; its last good state is');
    for (const source of known.keys())
      if (!now.has(source)) log.info({ source }, 'a stored document is good again');
    known = now;
  });
}
