/** Puts namerd together: every part is made here, once, with what it needs; what is started is stopped in reverse. */

import { readFileSync } from 'node:fs';
import { type Clock, systemClock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { Scope } from '#base/lifecycle.ts';
import type { Logger } from '#base/log.ts';
import type { NamerdConfig } from './config.ts';
import { exposures } from './config-exposure.ts';
import type { ControlConfig, MeshConfig } from './config-interfaces.ts';
import { measure, storageDump } from './measures.ts';
import { type Mesh, openMesh } from './mesh.ts';
import { type Naming, openNaming } from './naming.ts';
import { Metrics } from './serve/admin/metrics.ts';
import { adminRoutes } from './serve/admin/routes.ts';
import { controlRoutes } from './serve/control/index.ts';
import { HttpServer } from './serve/http/server.ts';
import { type MeshState, openState } from './state.ts';

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

/** Resolves when every interface listens. @throws MeshError when a part cannot start; nothing is left running then */
export async function startNamerd(options: NamerdOptions): Promise<Namerd> {
  const { log } = options;
  const scope = new Scope((name, error) =>
    log.error({ err: error }, `closing ${name} failed: ${messageOf(error)}`),
  );
  try {
    const ports = await new Assembly(options, scope).start();
    return { ports, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

const DEFAULT_MESH_NAMESPACE = 'nodemesh-system';

class Assembly {
  readonly #config: NamerdConfig;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #onShutdown: () => void;
  readonly #metrics = new Metrics();
  #stopping = false;

  constructor({ config, log, clock = systemClock, onShutdown = () => {} }: NamerdOptions, scope: Scope) {
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
    this.#scope = scope;
    this.#onShutdown = onShutdown;
  }

  async start(): Promise<Namerd['ports']> {
    const { interfaces, namers } = this.#config;
    for (const warning of exposures(this.#config)) this.#log.warn(warning);
    const meshConfig = interfaces.find(each => each.kind === 'io.nodemesh.mesh');
    const controlConfig = interfaces.find(each => each.kind === 'io.l5d.httpController');
    const parts = { clock: this.#clock, log: this.#log, scope: this.#scope };
    const state = await openState({
      ...parts,
      config: this.#config,
      trustDomain: meshConfig?.trustDomain ?? '',
      meshNamespace: meshConfig?.meshNamespace ?? DEFAULT_MESH_NAMESPACE,
    });
    const { registry, routing } = state;
    const { dtabs } = state.storage;
    const naming = openNaming({ ...parts, namers, mesh: meshConfig !== undefined, registry, routing, dtabs });
    const mesh = await this.#startMesh(meshConfig, state, naming);
    const control = await this.#startControl(controlConfig, state, naming, mesh);
    measure(this.#metrics, { state, mesh, servers: () => ({ control }) });
    const admin = await this.#startAdmin(state, naming);
    this.#scope.add('readiness', () => {
      this.#stopping = true;
    });
    return { admin: admin.port, control: control?.port, mesh: mesh?.server.port };
  }

  async #startMesh(
    config: MeshConfig | undefined,
    state: MeshState,
    naming: Naming,
  ): Promise<Mesh | undefined> {
    if (config === undefined) return undefined;
    return openMesh({ config, state, naming, clock: this.#clock, log: this.#log, scope: this.#scope });
  }

  async #startControl(
    config: ControlConfig | undefined,
    state: MeshState,
    { interpreter, dtabOf }: Naming,
    mesh: Mesh | undefined,
  ): Promise<HttpServer | undefined> {
    if (config === undefined) return undefined;
    const clock = this.#clock;
    const routes = controlRoutes({ ...state, interpreter, dtabOf, clock, authority: mesh?.authority });
    const server = await HttpServer.listen({
      ...config,
      routes,
      clock,
      log: this.#log,
      observe: this.#metrics.counting('control'),
    });
    return this.#scope.own('control server', server);
  }

  async #startAdmin(state: MeshState, { interpreter }: Naming): Promise<HttpServer> {
    const { admin, metricsPath, shown } = this.#config;
    const routes = adminRoutes({
      version: ownVersion(),
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
      metricsPath,
      config: shown,
      blockers: () => (this.#stopping ? ['namerd is stopping'] : []),
      dumps: {
        '/storage.json': () => storageDump(state),
        '/status.json': () => state.statuses(),
        '/bound-names.json': () => interpreter.names().map(({ show }) => show),
      },
      shutdown: this.#onShutdown,
    });
    const server = await HttpServer.listen({
      ...admin,
      routes,
      clock: this.#clock,
      log: this.#log,
      observe: this.#metrics.counting('admin'),
    });
    return this.#scope.own('admin server', server);
  }
}

function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
