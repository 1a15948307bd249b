/**
 * What clients of one port of a service do with HTTP: undefined unless somebody asks for it, by a route, a traffic
 * policy or the service's annotation; undefined as well where the port is known to carry something else.
 */

import {
  type ClientSettings,
  DEFAULT_CLIENT_SETTINGS,
  DEFAULT_SERVICE_SETTINGS,
  type HttpProtocol,
  type RouteTable,
  type ServiceHttp,
} from '#api';
import { asksForHttp, type Service, type ServicePort } from '../registry/index.ts';
import { sameDocument } from '../registry/sources/merge.ts';
import { portProtocol } from './protocol-table.ts';
import { routeTable, type Surroundings } from './route-table.ts';
import {
  isParentPort,
  type PlacedRoute,
  type PlacedTraffic,
  policyFor,
  type ServiceDocuments,
} from './routing-index.ts';

export function serviceHttp(
  service: Service,
  port: ServicePort,
  { routes, policies }: ServiceDocuments,
  around: Surroundings,
): ServiceHttp | undefined {
  const policy = policyFor(policies, port);
  const attached = routesFor(routes, service, port);
  if (policy === undefined && attached.length === 0 && !asksForHttp(service)) return undefined;
  const protocol = clientProtocol(service, port, attached, policy);
  if (protocol === 'opaque') return undefined;
  const byNamespace = Map.groupBy(attached, ({ metadata }) => metadata.namespace);
  const own = byNamespace.get(service.namespace);
  const consumers: Record<string, RouteTable> = {};
  for (const [namespace, theirs] of byNamespace)
    if (namespace !== service.namespace) consumers[namespace] = routeTable(theirs, service, around);
  return {
    protocol,
    ...(own === undefined ? {} : { routes: routeTable(own, service, around) }),
    consumers,
    settings: policy?.value.service ?? DEFAULT_SERVICE_SETTINGS,
  };
}

/** The routes whose parents mean this port. @param routes of the service */
export function routesFor(
  routes: readonly PlacedRoute[],
  service: Service,
  port: ServicePort,
): PlacedRoute[] {
  return routes.filter(({ value }) =>
    parentsOf(value.parents, service).some(parent => isParentPort(parent, port)),
  );
}

function parentsOf(parents: PlacedRoute['value']['parents'], { namespace, name }: Service) {
  return parents.filter(parent => parent.namespace === namespace && parent.service === name);
}

/**
 * A route on a port of which nothing is declared says that it speaks HTTP, if it means this port: with several ports,
 * a route for all of them may well leave one to a protocol in which the server speaks first.
 */
export function clientProtocol(
  service: Service,
  port: ServicePort,
  attached: readonly PlacedRoute[],
  policy: PlacedTraffic | undefined,
): HttpProtocol | 'opaque' {
  const protocol = portProtocol(port, policy?.value.protocol);
  if (protocol !== 'detect') return protocol;
  const meant = attached.some(({ value }) =>
    parentsOf(value.parents, service).some(
      parent =>
        isParentPort(parent, port) &&
        (service.ports.length === 1 || parent.port !== undefined || parent.sectionName !== undefined),
    ),
  );
  return meant ? 'http' : 'detect';
}

/** How replicas of the port are used; undefined: by the defaults. */
export function clientSettings(
  policies: readonly PlacedTraffic[],
  port: ServicePort,
): ClientSettings | undefined {
  const client = policyFor(policies, port)?.value.client;
  return client === undefined || sameDocument(client, DEFAULT_CLIENT_SETTINGS) ? undefined : client;
}
