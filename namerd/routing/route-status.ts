/** What is to be said about routes that are in force as far as they can be: what they name and is not there. */

import { keyOf, portLabel, type Service, type ServicePort } from '../registry/index.ts';
import type { ObjectStatus, RouteDocumentBackend, RouteParent } from '../resources/index.ts';
import { declaredProtocol } from './protocol-table.ts';
import { type Candidate, matchText, orderedMatches } from './route-order.ts';
import { type LookUpService, resolveBackend, ruleId, type Surroundings } from './route-table.ts';
import { isParentPort, type PlacedRoute, placeOf, policyFor, type RoutingIndex } from './routing-index.ts';
import { clientProtocol, routesFor } from './service-http.ts';

/** Everything that a document may be about, as it is now: for one round of messages. */
export class RoutingView implements Surroundings {
  readonly index: RoutingIndex;
  readonly service: LookUpService;
  readonly #losers = new Map<string, ReadonlyMap<PlacedRoute, readonly string[]>>();

  constructor(index: RoutingIndex, service: LookUpService) {
    this.index = index;
    this.service = service;
  }

  readonly grants: Surroundings['grants'] = namespace => this.index.grantsIn(namespace);

  /** Of the routes of a namespace for this port: what is to be said about matches that never decide. */
  losers(
    service: Service,
    port: ServicePort,
    namespace: string,
  ): ReadonlyMap<PlacedRoute, readonly string[]> {
    const key = `${keyOf(service)} ${port.port} ${namespace}`;
    const known = this.#losers.get(key);
    if (known !== undefined) return known;
    const beside = routesFor(this.index.of(keyOf(service)).routes, service, port);
    const found = losersAmong(beside.filter(({ metadata }) => metadata.namespace === namespace));
    this.#losers.set(key, found);
    return found;
  }
}

/** `error`: no parent takes it. */
export function routeStatus(view: RoutingView, route: PlacedRoute): ObjectStatus {
  const { parents, warnings } = route.value;
  const messages = new Set(warnings);
  let taken = 0;
  for (const parent of parents) {
    const service = view.service(`${parent.namespace}/${parent.service}`);
    const problem = service === undefined ? missing(parent) : portProblem(view, parent, service);
    if (problem?.fatal !== true) taken += 1;
    if (problem !== undefined) messages.add(problem.text);
    if (service === undefined) continue;
    for (const message of backendProblems(view, route, service)) messages.add(message);
    for (const message of rivals(view, route, parent, service)) messages.add(message);
  }
  const state = taken === 0 ? 'error' : messages.size > 0 ? 'warning' : 'ok';
  return { kind: kindOf(route), key: placeOf(route), source: 'storage', state, messages: [...messages] };
}

function kindOf({ value }: PlacedRoute): 'HTTPRoute' | 'GRPCRoute' {
  return value.kind === 'grpc' ? 'GRPCRoute' : 'HTTPRoute';
}

interface Problem {
  text: string;
  /** The parent does not take the route. */
  fatal: boolean;
}

function missing({ namespace, service }: RouteParent): Problem {
  return { text: `the parent ${namespace}/${service}: there is no such Service`, fatal: true };
}

function portProblem({ index }: RoutingView, parent: RouteParent, service: Service): Problem | undefined {
  const key = keyOf(service);
  const ports = service.ports.filter(port => isParentPort(parent, port));
  if (ports.length === 0) {
    const wanted = [parent.port, parent.sectionName]
      .filter(each => each !== undefined)
      .join(' with the name ');
    return { text: `the parent ${key} has no port ${wanted}`, fatal: true };
  }
  const { routes, policies } = index.of(key);
  const opaque = ports.filter(
    port =>
      clientProtocol(service, port, routesFor(routes, service, port), policyFor(policies, port)) === 'opaque',
  );
  if (opaque.length < ports.length) return undefined;
  const labels = opaque.map(portLabel).join(', ');
  return {
    text: `the parent ${key}: port ${labels} does not speak HTTP by what is declared, so no route has effect there`,
    fatal: false,
  };
}

function* backendProblems(view: RoutingView, route: PlacedRoute, parent: Service): Generator<string> {
  for (const rule of route.value.rules)
    for (const backend of rule.backends) {
      const resolved = resolveBackend(backend, route, parent, view);
      const problem =
        'invalid' in resolved
          ? `${resolved.invalid}: ${reasonOf(backend, route, resolved.invalid, view)}; its share is answered with 500`
          : opaqueBackend(backend, view);
      if (problem !== undefined)
        yield `rule ${rule.name}: backend ${backend.namespace}/${backend.service} port ${backend.port}: ${problem}`;
    }
}

function reasonOf(
  { namespace, service }: RouteDocumentBackend,
  route: PlacedRoute,
  invalid: string,
  { service: lookUp }: RoutingView,
): string {
  if (invalid === 'RefNotPermitted')
    return `no ReferenceGrant in the namespace ${namespace} lets ${kindOf(route)}s of ${route.metadata.namespace} refer to it`;
  return lookUp(`${namespace}/${service}`) === undefined
    ? 'there is no such Service'
    : 'the Service has no such port';
}

function opaqueBackend(
  { namespace, service, port }: RouteDocumentBackend,
  { index, service: lookUp }: RoutingView,
): string | undefined {
  const key = `${namespace}/${service}`;
  const found = lookUp(key)?.ports.find(each => each.port === port);
  if (found === undefined) return undefined;
  const said = policyFor(index.of(key).policies, found)?.value.protocol ?? declaredProtocol(found);
  return said === 'opaque' ? 'it does not speak HTTP by what is declared' : undefined;
}

/** Matches that never decide, since another one fits the same requests and is tried first. */
function losersAmong(routes: readonly PlacedRoute[]): Map<PlacedRoute, string[]> {
  const first = new Map<string, Candidate>();
  const losers = new Map<PlacedRoute, string[]>();
  for (const candidate of orderedMatches(routes)) {
    const { route, rule } = candidate;
    const text = matchText(candidate);
    const winner = first.get(text);
    if (winner === undefined) {
      first.set(text, candidate);
      continue;
    }
    const messages = losers.get(route) ?? [];
    messages.push(`rule ${nameOf(route, rule)}: ${idOf(winner)} has the same match and goes before`);
    losers.set(route, messages);
  }
  return losers;
}

function rivals(view: RoutingView, route: PlacedRoute, parent: RouteParent, service: Service): string[] {
  const ports = service.ports.filter(port => isParentPort(parent, port));
  return ports.flatMap(port => view.losers(service, port, route.metadata.namespace).get(route) ?? []);
}

function nameOf({ value }: PlacedRoute, rule: number): string {
  return value.rules[rule]?.name ?? String(rule);
}

function idOf({ route, rule }: Candidate): string {
  return ruleId(route, { name: nameOf(route, rule) });
}
