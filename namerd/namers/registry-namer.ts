/** `io.nodemesh.registry`: `/#/registry/<namespace>/<service>/<port>[/rest]`, the port by name or number. */

import type { ClientSettings } from '#api';
import { Derived } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import { Path, utf8Of } from '#names';
import type { PortState, Registry, ServiceState } from '../registry/index.ts';
import { bound, constant, type Namer, type NamerAnswer, NO_ANSWER, ok, sameAnswer } from './namer.ts';

export const REGISTRY_PREFIX = Path.of('registry');

/** How the replicas of a service's port are used, for those who speak HTTP to them. */
export interface ClientSource {
  /** @param service `<namespace>/<name>` */
  client(service: string, port: number): Watchable<ClientSettings | undefined>;
}

export class RegistryNamer implements Namer {
  readonly kind = 'io.nodemesh.registry';
  readonly prefix: Path;
  readonly openElems = 0;
  readonly #registry: Registry;
  readonly #clients: ClientSource | undefined;

  /** @param prefix below `/#` */
  constructor(registry: Registry, prefix: Path = REGISTRY_PREFIX, clients?: ClientSource) {
    this.prefix = Path.of('#').concat(prefix);
    this.#registry = registry;
    this.#clients = clients;
  }

  /**
   * No answer for what does not exist, so that alternatives are tried; a service that nobody serves now is bound.
   * The id names the port in the one way in which the registry does, so that there is one id for it.
   */
  lookup(rest: Path): Watchable<NamerAnswer> {
    const [namespace, name, label] = rest.elems.map(utf8Of);
    if (namespace === undefined || name === undefined || label === undefined) return constant(NO_ANSWER);
    const key = `${namespace}/${name}`;
    return new Derived<NamerAnswer>(use => {
      const port = portOf(
        use('service', () => this.#registry.watchService(key)),
        label,
      );
      if (port === undefined) return NO_ANSWER;
      const clients = this.#clients;
      const { port: number } = port.port;
      const client = clients && use(`client ${number}`, () => clients.client(key, number));
      const id = this.prefix.concat(rest.take(2)).concat(Path.of(port.label));
      return ok(bound(id, rest.drop(3), port.replicas, client));
    }, sameAnswer);
  }

  /** Every id that can be bound now, sorted. */
  names(): Path[] {
    return this.#registry
      .services()
      .flatMap(({ service, ports }) =>
        ports.map(({ label }) => this.prefix.concat(Path.of(service.namespace, service.name, label))),
      );
  }
}

function portOf(state: ServiceState | undefined, label: string): PortState | undefined {
  return state?.ports.find(({ port }) => port.name === label || String(port.port) === label);
}
