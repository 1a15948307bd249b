/**
 * Routes and traffic policies as they are asked for: by a service's port, by a namespace. A change of a document
 * wakes only those who watch a service or namespace that it is about; a change of a Service, those whose routes
 * name it; a change of a grant, those whose routes refer into its namespace.
 */

import { LRUCache } from 'lru-cache';
import type { ClientSettings, ServiceHttp } from '#api';
import { Derived } from '#base/derived.ts';
import type { Dispose, Watchable } from '#base/watch.ts';
import type { Registry, Service } from '../registry/index.ts';
import { KeyedCells } from '../registry/indexes/keyed-cells.ts';
import { sameDocument } from '../registry/sources/merge.ts';
import {
  GrantIndex,
  type PlacedGrant,
  type PlacedRoute,
  type PlacedTraffic,
  RouteIndex,
  RoutingIndex,
  sameDocuments,
  sameItems,
  TrafficIndex,
} from './routing-index.ts';
import { clientSettings, serviceHttp } from './service-http.ts';
import { type AskingService, askingServices, NamespacePorts } from './workload-http.ts';

/** Documents of a store, sorted by key, of which only values are looked at. */
type Stored<T> = Watchable<ReadonlyMap<string, { readonly value: T }>>;

export interface RoutingOptions {
  /** HTTPRoutes and GRPCRoutes. */
  routes: readonly Stored<PlacedRoute>[];
  policies: Stored<PlacedTraffic>;
  grants: Stored<PlacedGrant>;
  registry: Pick<Registry, 'watchService' | 'watchServices'>;
}

/** What the services and policies of a namespace ask of its workloads. */
export interface NamespaceHttp {
  asking: Watchable<readonly AskingService[]>;
  ports: Watchable<NamespacePorts>;
}

/** Namespaces are kept as objects so that nodes share them; one that is asked for again later only shares less. */
const MAX_NAMESPACES = 10_000;

export class Routing {
  readonly #options: RoutingOptions;
  readonly #disposes: Dispose[] = [];
  readonly #serviceCells = new KeyedCells(key => this.#index.of(key), sameDocuments);
  readonly #namespaceCells = new KeyedCells(namespace => this.#index.policiesIn(namespace), sameItems);
  readonly #grantCells = new KeyedCells(namespace => this.#index.grantsIn(namespace), sameItems);
  readonly #namespaces = new LRUCache<string, NamespaceHttp>({ max: MAX_NAMESPACES });
  #index: RoutingIndex;

  constructor(options: RoutingOptions) {
    this.#options = options;
    this.#index = new RoutingIndex(this.#routes(), this.#traffic(), this.#grants());
    let started = false;
    const watch = (documents: Watchable<unknown>, takeIn: () => void) =>
      this.#disposes.push(documents.observe(() => started && takeIn()));
    for (const documents of options.routes) watch(documents, () => this.#takeInRoutes());
    watch(options.policies, () => this.#takeInTraffic());
    watch(options.grants, () => this.#takeInGrants());
    started = true;
  }

  close(): void {
    for (const dispose of this.#disposes.splice(0)) dispose();
  }

  /**
   * What clients of the service's port do with HTTP; undefined when nothing asks for it.
   * @param key `<namespace>/<service>`
   */
  http(key: string, port: number): Watchable<ServiceHttp | undefined> {
    return new Derived(use => {
      const service = use('service', () => this.#service(key));
      const found = service?.ports.find(each => each.port === port);
      if (service === undefined || found === undefined) return undefined;
      const documents = use('documents', () => this.#serviceCells.watch(key));
      return serviceHttp(service, found, documents, {
        service: other => (other === key ? service : use(`backend ${other}`, () => this.#service(other))),
        grants: namespace => use(`grants ${namespace}`, () => this.#grantCells.watch(namespace)),
      });
    }, sameDocument);
  }

  /** How the replicas of the service's port are used; undefined: by the defaults. @param key `<namespace>/<service>` */
  client(key: string, port: number): Watchable<ClientSettings | undefined> {
    return new Derived(use => {
      const { policies } = use('documents', () => this.#serviceCells.watch(key));
      if (policies.length === 0) return undefined;
      const found = use('service', () => this.#service(key))?.ports.find(each => each.port === port);
      return found === undefined ? undefined : clientSettings(policies, found);
    }, sameDocument);
  }

  /** The same object for the same namespace, so that nodes share the work. */
  namespace(namespace: string): NamespaceHttp {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    const { registry } = this.#options;
    const derive = <T>(
      make: (services: readonly Service[], policies: readonly PlacedTraffic[]) => T,
      same?: (a: T, b: T) => boolean,
    ) =>
      new Derived<T>(
        use =>
          make(
            use('services', () => registry.watchServices(namespace)),
            use('policies', () => this.#namespaceCells.watch(namespace)),
          ),
        same,
      );
    const made: NamespaceHttp = {
      asking: derive(askingServices, sameDocument),
      ports: derive((services, policies) => new NamespacePorts(services, policies)),
    };
    this.#namespaces.set(namespace, made);
    return made;
  }

  /** The document alone: who serves it changes far more often. */
  #service(key: string): Watchable<Service | undefined> {
    return new Derived(
      use => use('state', () => this.#options.registry.watchService(key))?.service,
      sameDocument,
    );
  }

  #takeInRoutes(): void {
    const before = this.#index.routes;
    this.#index = new RoutingIndex(this.#routes(), this.#index.traffic, this.#index.grants);
    this.#serviceCells.refresh(new Set([...before.services, ...this.#index.routes.services]));
  }

  #takeInTraffic(): void {
    const before = this.#index.traffic;
    this.#index = new RoutingIndex(this.#index.routes, this.#traffic(), this.#index.grants);
    const { traffic } = this.#index;
    this.#serviceCells.refresh(new Set([...before.services, ...traffic.services]));
    this.#namespaceCells.refresh(new Set([...before.namespaces, ...traffic.namespaces]));
  }

  #takeInGrants(): void {
    const { routes, traffic, grants: before } = this.#index;
    this.#index = new RoutingIndex(routes, traffic, this.#grants());
    this.#grantCells.refresh(new Set([...before.namespaces, ...this.#index.grants.namespaces]));
  }

  #routes(): RouteIndex {
    return new RouteIndex(this.#options.routes.flatMap(values));
  }

  #traffic(): TrafficIndex {
    return new TrafficIndex(values(this.#options.policies));
  }

  #grants(): GrantIndex {
    return new GrantIndex(values(this.#options.grants));
  }
}

function values<T>({ current }: Stored<T>): T[] {
  return Array.from(current.values(), ({ value }) => value);
}
