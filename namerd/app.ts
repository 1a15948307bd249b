/** Puts namerd together: every part is made here, once, with what it needs; what is started is stopped in reverse. */

import { readFileSync } from 'node:fs';
import { type Clock, systemClock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { Scope } from '#base/lifecycle.ts';
import type { Logger } from '#base/log.ts';
import type { Authority } from './ca/index.ts';
import type { NamerdConfig } from './config.ts';
import { KINDS } from './resources/index.ts';
import { Metrics } from './serve/admin/metrics.ts';
import { adminRoutes } from './serve/admin/routes.ts';
import { controlRoutes } from './serve/control/index.ts';
import { HttpServer } from './serve/http/server.ts';
import { type MeshState, openState } from './state.ts';
import { storeOf } from './store/index.ts';

export interface NamerdOptions {
  config: NamerdConfig;
  log: Logger;
  clock?: Clock;
  /** Called when somebody asks for a stop over the admin interface. */
  onShutdown?: () => void;
}

export interface Namerd {
  /** The ports that are listened on; undefined for interfaces that are not configured. */
  readonly ports: { admin: number; control: number | undefined; mesh: number | undefined };
  /** Stops listening, lets requests under way finish, and lets go of everything. */
  close(): Promise<void>;
}

const DEFAULT_MESH_NAMESPACE = 'nodemesh-system';

/** Resolves when every interface listens. @throws MeshError when a part cannot start; nothing is left running then */
export async function startNamerd(options: NamerdOptions): Promise<Namerd> {
  const { log } = options;
  const scope = new Scope((name, error) =>
    log.error({ err: error }, `closing ${name} failed: ${messageOf(error)}`),
  );
  try {
    const ports = await start(options, scope);
    return { ports, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function start(
  { config, log, clock = systemClock, onShutdown = () => {} }: NamerdOptions,
  scope: Scope,
): Promise<Namerd['ports']> {
  const meshConfig = config.interfaces.find(each => each.kind === 'io.nodemesh.mesh');
  const controlConfig = config.interfaces.find(each => each.kind === 'io.l5d.httpController');
  const metrics = new Metrics();
  const state = await openState({
    config,
    trustDomain: meshConfig?.trustDomain ?? '',
    meshNamespace: meshConfig?.meshNamespace ?? DEFAULT_MESH_NAMESPACE,
    clock,
    log,
    scope,
  });
  const authority: Authority | undefined = undefined;
  measureState(metrics, state);

  const serve = async (name: string, address: { ip: string; port: number }, rest: object) =>
    scope.own(
      `${name} server`,
      await HttpServer.listen({ ...address, clock, log, observe: metrics.counting(name), ...rest } as never),
    );
  const control =
    controlConfig &&
    (await serve('control', controlConfig, {
      routes: controlRoutes({ ...state, authority }),
      tls: controlConfig.tls,
    }));
  let stopping = false;
  scope.add('readiness', () => {
    stopping = true;
  });
  const admin = await serve('admin', config.admin, {
    routes: adminRoutes({
      version: ownVersion(),
      clock,
      log,
      metrics,
      metricsPath: config.metricsPath,
      config: config.shown,
      blockers: () => (stopping ? ['namerd is stopping'] : []),
      dumps: { '/storage.json': () => dumpStorage(state), '/status.json': () => state.statuses() },
      shutdown: onShutdown,
    }),
  });
  return { admin: admin.port, control: control?.port, mesh: undefined };
}

function measureState(metrics: Metrics, { storage, registry, statuses }: MeshState): void {
  metrics.gauge('namerd_stored_documents', 'Documents in the storage by kind.', ['kind'], () =>
    KINDS.map(kind => [{ kind }, storeOf(storage, kind).documents.current.size]),
  );
  metrics.gauge('namerd_registry_services', 'Services in the registry.', [], () => [
    [{}, registry.services().length],
  ]);
  metrics.gauge('namerd_registry_workloads', 'Workloads in the registry.', [], () => [
    [{}, registry.workloads().length],
  ]);
  metrics.gauge('namerd_object_problems', 'Objects with errors or warnings.', ['state'], () => {
    const all = Map.groupBy(statuses(), ({ state }) => state);
    return [...all].map(([state, list]) => [{ state }, list.length] as const);
  });
}

function dumpStorage({ storage }: MeshState): unknown {
  return Object.fromEntries(
    KINDS.map(kind => [
      kind,
      Object.fromEntries(
        [...storeOf(storage, kind).documents.current].map(([key, { version }]) => [key, version]),
      ),
    ]),
  );
}

function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
