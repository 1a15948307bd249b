/**
 * All routes and traffic policies by the service that they are about. An immutable snapshot: a change of documents is
 * a new index, in which everything that is not concerned is the same list of the same objects.
 */

import type { ServicePort } from '../registry/index.ts';
import type { RouteDocument, RouteParent, TrafficDocument } from '../resources/index.ts';

/** A document under its name. */
export interface Placed<T> {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly value: T;
}

export type PlacedRoute = Placed<RouteDocument>;
export type PlacedTraffic = Placed<TrafficDocument>;

/** What is said about one service. */
export interface ServiceDocuments {
  /** Sorted by `<namespace>/<name>`, at equal names as given. */
  readonly routes: readonly PlacedRoute[];
  /** Of the service's own namespace, sorted by name. */
  readonly policies: readonly PlacedTraffic[];
}

const NOTHING: ServiceDocuments = { routes: [], policies: [] };
const NO_POLICIES: readonly PlacedTraffic[] = [];

export class RoutingIndex {
  readonly #services = new Map<string, { routes: PlacedRoute[]; policies: PlacedTraffic[] }>();
  readonly #namespaces = new Map<string, PlacedTraffic[]>();

  constructor(routes: Iterable<PlacedRoute>, policies: Iterable<PlacedTraffic>) {
    for (const route of sorted(routes))
      for (const { namespace, service } of route.value.parents) {
        const of = this.#of(`${namespace}/${service}`).routes;
        // A route may name several ports of one service.
        if (of.at(-1) !== route) of.push(route);
      }
    for (const policy of sorted(policies)) {
      const { namespace } = policy.metadata;
      this.#of(`${namespace}/${policy.value.target.service}`).policies.push(policy);
      const own = this.#namespaces.get(namespace);
      if (own === undefined) this.#namespaces.set(namespace, [policy]);
      else own.push(policy);
    }
  }

  /** @param key `<namespace>/<service>` */
  of(key: string): ServiceDocuments {
    return this.#services.get(key) ?? NOTHING;
  }

  policiesIn(namespace: string): readonly PlacedTraffic[] {
    return this.#namespaces.get(namespace) ?? NO_POLICIES;
  }

  /** The services that anything is said about. */
  get services(): Iterable<string> {
    return this.#services.keys();
  }

  /** The namespaces that have traffic policies. */
  get namespaces(): Iterable<string> {
    return this.#namespaces.keys();
  }

  #of(key: string): { routes: PlacedRoute[]; policies: PlacedTraffic[] } {
    let found = this.#services.get(key);
    if (found === undefined) {
      found = { routes: [], policies: [] };
      this.#services.set(key, found);
    }
    return found;
  }
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

function sorted<T extends Placed<unknown>>(documents: Iterable<T>): T[] {
  const keyed = Array.from(documents, document => ({ key: placeOf(document), document }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ document }) => document);
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
 * equals the first by name, as files have no date.
 * @param policies of the service, sorted by name
 */
export function policyFor(policies: readonly PlacedTraffic[], port: ServicePort): PlacedTraffic | undefined {
  const meant = policies.filter(({ value }) => isTargetPort(value, port));
  return meant.find(({ value }) => value.target.port !== undefined) ?? meant[0];
}
