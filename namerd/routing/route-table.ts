/** The routes of one port of a service as one table: precedence decided, backends named or found to lead nowhere. */

import type { FieldMatch, RouteAction, RouteBackend, RouteMatch, RouteTable } from '#api';
import { keyOf, portLabel, type Service, serviceName } from '../registry/index.ts';
import type { RouteDocumentBackend, RouteDocumentRule } from '../resources/index.ts';
import { orderedMatches } from './route-order.ts';
import { type PlacedGrant, type PlacedRoute, placeOf } from './routing-index.ts';

/** The service with this `<namespace>/<name>`, watched for what it may become. */
export type LookUpService = (key: string) => Service | undefined;

/** By what references are resolved. */
export interface Surroundings {
  readonly service: LookUpService;
  /** The grants of a namespace, watched as well. */
  readonly grants: (namespace: string) => readonly PlacedGrant[];
}

/** A GRPCRoute is about gRPC: without this, one without methods would take every request of the port. */
const GRPC_ONLY: FieldMatch = {
  name: 'content-type',
  kind: 'regex',
  value: 'application/grpc([+; ].*)?',
};

/** @param routes all of the same parent, sorted by `<namespace>/<name>`. */
export function routeTable(
  routes: readonly PlacedRoute[],
  parent: Service,
  around: Surroundings,
): RouteTable {
  const actions: RouteAction[] = [];
  const firstAction = new Map<PlacedRoute, number>();
  for (const route of routes) {
    firstAction.set(route, actions.length);
    for (const rule of route.value.rules) actions.push(actionOf(route, rule, parent, around));
  }
  const matches = orderedMatches(routes).map(({ route, rule, match }): RouteMatch => {
    const action = (firstAction.get(route) ?? 0) + rule;
    if (route.value.kind === 'http') return { action, ...match };
    return { action, ...match, headers: [...match.headers, GRPC_ONLY] };
  });
  return { matches, actions };
}

/** How logs, metrics and messages call a rule. */
export function ruleId(route: PlacedRoute, rule: Pick<RouteDocumentRule, 'name'>): string {
  return `${placeOf(route)}[${rule.name}]`;
}

function actionOf(
  route: PlacedRoute,
  rule: RouteDocumentRule,
  parent: Service,
  around: Surroundings,
): RouteAction {
  const { filters, requestMs, backendRequestMs, retry } = rule;
  return {
    id: ruleId(route, rule),
    grpc: route.value.kind === 'grpc',
    filters,
    backends: rule.backends.map(backend => backendOf(backend, route, parent, around)),
    ...(requestMs === undefined ? {} : { requestMs }),
    ...(backendRequestMs === undefined ? {} : { backendRequestMs }),
    ...(retry === undefined ? {} : { retry }),
  };
}

function backendOf(
  backend: RouteDocumentBackend,
  route: PlacedRoute,
  parent: Service,
  around: Surroundings,
): RouteBackend {
  const { namespace, service, port, weight, filters } = backend;
  const found = resolveBackend(backend, route, parent, around);
  const label = 'label' in found ? found.label : String(port);
  const name = serviceName(namespace, service, label).show;
  return { weight, name, filters, ...('label' in found ? {} : { invalid: found.invalid }) };
}

/** Reasons of the Gateway API's condition `ResolvedRefs`. */
export type InvalidReference = 'BackendNotFound' | 'RefNotPermitted';

/**
 * What a reference means: the label of the service's port, or why it means nothing. A backend is of the route's own
 * namespace, or the parent itself, or its namespace lets routes of this one refer to it. What is not permitted is not
 * looked up: whether a service of somebody else exists is not told.
 */
export function resolveBackend(
  { namespace, service, port }: Pick<RouteDocumentBackend, 'namespace' | 'service' | 'port'>,
  route: PlacedRoute,
  parent: Pick<Service, 'namespace' | 'name'>,
  around: Surroundings,
): { label: string } | { invalid: InvalidReference } {
  const key = `${namespace}/${service}`;
  const near = namespace === route.metadata.namespace || key === keyOf(parent);
  if (!near && !mayRefer(route, service, around.grants(namespace))) return { invalid: 'RefNotPermitted' };
  const found = around.service(key)?.ports.find(each => each.port === port);
  return found === undefined ? { invalid: 'BackendNotFound' } : { label: portLabel(found) };
}

/** @param grants of the service's namespace: any of them will do. @param service its name */
function mayRefer(route: PlacedRoute, service: string, grants: readonly PlacedGrant[]): boolean {
  const { kind } = route.value;
  const { namespace } = route.metadata;
  return grants.some(
    ({ value: { from, services } }) =>
      (services === 'all' || services.includes(service)) &&
      from.some(each => each.kind === kind && each.namespace === namespace),
  );
}
