/**
 * All routes and traffic policies by the service that they are about, and grants by the namespace that gives them. An
 * immutable snapshot: a change of documents is a new index, in which everything that is not concerned is the same list
 * of the same objects.
 */

import type { ServicePort } from '../registry/index.ts';
import type { GrantDocument, RouteDocument, RouteParent, TrafficDocument } from '../resources/index.ts';

/** A document under its name. */
export interface Placed<T> {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly creationTimestamp?: string;
  };
  readonly value: T;
}

export type PlacedRoute = Placed<RouteDocument>;
export type PlacedTraffic = Placed<TrafficDocument>;
export type PlacedGrant = Placed<GrantDocument>;

/** What is said about one service. */
export interface ServiceDocuments {
  /** By kind, then as they were given. */
  readonly routes: readonly PlacedRoute[];
  /** Of the service's own namespace, sorted by name. */
  readonly policies: readonly PlacedTraffic[];
}

/** All routes by the services whose clients they are for. */
export class RouteIndex {
  readonly #byService = new Map<string, PlacedRoute[]>();

  /** @param routes of each kind sorted by `<namespace>/<name>`, so that equal sets give equal answers. */
  constructor(routes: Iterable<PlacedRoute>) {
    for (const route of routes)
      for (const { namespace, service } of route.value.parents) {
        const of = listed(this.#byService, `${namespace}/${service}`);
        // A route may name several ports of one service.
        if (of.at(-1) !== route) of.push(route);
      }
  }

  of(service: string): readonly PlacedRoute[] {
    return this.#byService.get(service) ?? [];
  }

  get services(): Iterable<string> {
    return this.#byService.keys();
  }
}

/** All traffic policies by service and by namespace. */
export class TrafficIndex {
  readonly #byService = new Map<string, PlacedTraffic[]>();
  readonly #byNamespace = new Map<string, PlacedTraffic[]>();

  /** @param policies sorted by `<namespace>/<name>` */
  constructor(policies: Iterable<PlacedTraffic>) {
    for (const policy of policies) {
      const { namespace } = policy.metadata;
      listed(this.#byService, `${namespace}/${policy.value.target.service}`).push(policy);
      listed(this.#byNamespace, namespace).push(policy);
    }
  }

  of(service: string): readonly PlacedTraffic[] {
    return this.#byService.get(service) ?? [];
  }

  in(namespace: string): readonly PlacedTraffic[] {
    return this.#byNamespace.get(namespace) ?? [];
  }

  get services(): Iterable<string> {
    return this.#byService.keys();
  }

  get namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }
}

/** All grants by the namespace whose services they open. */
export class GrantIndex {
  readonly #byNamespace = new Map<string, PlacedGrant[]>();

  /** @param grants sorted by `<namespace>/<name>` */
  constructor(grants: Iterable<PlacedGrant>) {
    for (const grant of grants) listed(this.#byNamespace, grant.metadata.namespace).push(grant);
  }

  in(namespace: string): readonly PlacedGrant[] {
    return this.#byNamespace.get(namespace) ?? [];
  }

  get namespaces(): Iterable<string> {
    return this.#byNamespace.keys();
  }
}

/** All of a moment. */
export class RoutingIndex {
  readonly routes: RouteIndex;
  readonly traffic: TrafficIndex;
  readonly grants: GrantIndex;

  constructor(routes: RouteIndex, traffic: TrafficIndex, grants: GrantIndex) {
    this.routes = routes;
    this.traffic = traffic;
    this.grants = grants;
  }

  /** @param service `<namespace>/<name>` */
  of(service: string): ServiceDocuments {
    return { routes: this.routes.of(service), policies: this.traffic.of(service) };
  }

  policiesIn(namespace: string): readonly PlacedTraffic[] {
    return this.traffic.in(namespace);
  }

  grantsIn(namespace: string): readonly PlacedGrant[] {
    return this.grants.in(namespace);
  }
}

function listed<T>(lists: Map<string, T[]>, key: string): T[] {
  let found = lists.get(key);
  if (found === undefined) {
    found = [];
    lists.set(key, found);
  }
  return found;
}

/** True for the same lists of the same objects. */
export function sameDocuments(a: ServiceDocuments, b: ServiceDocuments): boolean {
  return a === b || (sameItems(a.routes, b.routes) && sameItems(a.policies, b.policies));
}

export function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

export function placeOf({ metadata: { namespace, name } }: Placed<unknown>): string {
  return `${namespace}/${name}`;
}

// === Which ports are meant ===

/** Gateway API ParentReference: the port by number, by name (sectionName), or every port. */
export function isParentPort(parent: RouteParent, port: ServicePort): boolean {
  const { port: number, sectionName } = parent;
  return (
    (number === undefined || number === port.port) && (sectionName === undefined || sectionName === port.name)
  );
}

export function isTargetPort({ target }: TrafficDocument, port: ServicePort): boolean {
  return target.port === undefined || target.port === port.port || target.port === port.name;
}

/**
 * The policy that holds for the port: one that names the port goes before one for the whole service, and among
 * equals the first by name.
 * @param policies of the service, sorted by name
 */
export function policyFor(policies: readonly PlacedTraffic[], port: ServicePort): PlacedTraffic | undefined {
  const meant = policies.filter(({ value }) => isTargetPort(value, port));
  return meant.find(({ value }) => value.target.port !== undefined) ?? meant[0];
}
