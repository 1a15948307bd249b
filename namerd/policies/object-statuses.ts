/**
 * What is to be said about policies, routes and grants, now and if one more were stored: they are judged together with the
 * services and workloads that they are about, which come and go.
 */

import type { Clock } from '#base/clock.ts';
import type { Registry } from '../registry/index.ts';
import {
  datedResource,
  type GrpcRouteResource,
  type HttpRouteResource,
  type ObjectStatus,
  type Resource,
  type RouteResource,
  resourceKey,
} from '../resources/index.ts';
import {
  GrantIndex,
  grantStatus,
  NamespacePorts,
  type PlacedGrant,
  type PlacedRoute,
  type PlacedTraffic,
  RouteIndex,
  RoutingIndex,
  RoutingView,
  routeStatus,
  TrafficIndex,
  trafficStatus,
} from '../routing/index.ts';
import { withDocument } from '../store/documents.ts';
import type { Documents, Storage } from '../store/index.ts';
import { policyStatus } from './policy-status.ts';

export interface ObjectStatusesOptions {
  storage: Pick<Storage, 'policies' | 'traffic' | 'httpRoutes' | 'grpcRoutes' | 'grants'>;
  registry: Pick<Registry, 'workloads' | 'servicesIn' | 'service' | 'revision'>;
  meshNamespace: string;
  clock: Pick<Clock, 'now'>;
}

export class ObjectStatuses {
  readonly #options: ObjectStatusesOptions;
  /** What the last answer was made from: it is asked for again with every object that is shown. */
  #asked: readonly unknown[] = [];
  #answer: readonly ObjectStatus[] = [];

  constructor(options: ObjectStatusesOptions) {
    this.#options = options;
  }

  /** Of those about which there is anything to say. */
  all(): readonly ObjectStatus[] {
    const { storage, registry } = this.#options;
    const { policies, traffic, httpRoutes, grpcRoutes, grants } = storage;
    const stores = [policies, traffic, httpRoutes, grpcRoutes, grants];
    const asked = [registry.revision.current, ...stores.map(({ documents }) => documents.current)];
    if (asked.some((each, i) => each !== this.#asked[i])) {
      this.#answer = this.#all();
      this.#asked = asked;
    }
    return this.#answer;
  }

  #all(): ObjectStatus[] {
    const { policies, traffic, httpRoutes, grpcRoutes, grants } = this.#options.storage;
    const routes = [...values(httpRoutes.documents.current), ...values(grpcRoutes.documents.current)];
    const ofTraffic = values(traffic.documents.current);
    const ofGrants = values(grants.documents.current);
    const view = this.#view(routes, ofTraffic, ofGrants);
    const statuses = [
      ...this.#ofPolicies(policies.documents.current, view.index),
      ...routes.map(route => routeStatus(view, route)),
      ...ofTraffic.map(policy => trafficStatus(view, policy)),
      ...ofGrants.map(grant => grantStatus(view, grant)),
    ];
    return statuses.filter(isWorthSaying);
  }

  /** What would be said about the object if it were stored. */
  foresee(resource: Resource): ObjectStatus[] {
    const { storage, clock } = this.#options;
    const { policies, traffic, httpRoutes, grpcRoutes, grants } = storage;
    const key = resourceKey(resource.metadata);
    const now = {
      policies: policies.documents.current,
      traffic: traffic.documents.current,
      http: httpRoutes.documents.current,
      grpc: grpcRoutes.documents.current,
      grants: values(grants.documents.current),
    };
    const ofRoute = (
      route: RouteResource,
      http: Documents<HttpRouteResource>,
      grpc: Documents<GrpcRouteResource>,
    ) => {
      const view = this.#view([...values(http), ...values(grpc)], values(now.traffic), now.grants);
      return [routeStatus(view, route)].filter(isWorthSaying);
    };
    switch (resource.kind) {
      case 'AuthorizationPolicy': {
        const { index } = this.#view([], values(now.traffic), []);
        return this.#ofPolicies(withOne(now.policies, key, resource), index).filter(
          status => status.key === key && isWorthSaying(status),
        );
      }
      case 'TrafficPolicy': {
        const view = this.#view([], values(withOne(now.traffic, key, resource)), []);
        return [trafficStatus(view, resource)].filter(isWorthSaying);
      }
      case 'HTTPRoute': {
        const route = datedResource(resource, now.http.get(key)?.value, clock.now());
        return ofRoute(route, withOne(now.http, key, route), now.grpc);
      }
      case 'GRPCRoute': {
        const route = datedResource(resource, now.grpc.get(key)?.value, clock.now());
        return ofRoute(route, now.http, withOne(now.grpc, key, route));
      }
      case 'ReferenceGrant':
        return [grantStatus(this.#view([], [], []), resource)].filter(isWorthSaying);
      default:
        return [];
    }
  }

  #view(
    routes: Iterable<PlacedRoute>,
    traffic: Iterable<PlacedTraffic>,
    grants: Iterable<PlacedGrant>,
  ): RoutingView {
    const index = new RoutingIndex(new RouteIndex(routes), new TrafficIndex(traffic), new GrantIndex(grants));
    return new RoutingView(index, key => this.#options.registry.service(key));
  }

  #ofPolicies(policies: Storage['policies']['documents']['current'], index: RoutingIndex): ObjectStatus[] {
    const { registry, meshNamespace } = this.#options;
    const ports = new Map<string, NamespacePorts>();
    return policyStatus(policies, registry.workloads(), meshNamespace, namespace => {
      const known =
        ports.get(namespace) ??
        new NamespacePorts(registry.servicesIn(namespace), index.policiesIn(namespace));
      ports.set(namespace, known);
      return known;
    });
  }
}

function isWorthSaying({ state }: ObjectStatus): boolean {
  return state !== 'ok';
}

function values<T>(documents: Documents<T>): T[] {
  return Array.from(documents.values(), ({ value }) => value);
}

function withOne<T>(documents: Documents<T>, key: string, value: T): Documents<T> {
  return withDocument(documents, key, { value, version: '' });
}
