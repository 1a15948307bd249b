/** What routes and traffic policies mean for services, their clients and their workloads. */

export { grantStatus } from './grant-status.ts';
export { declaredProtocol, type PortProtocol, portProtocol } from './protocol-table.ts';
export { RoutingView, routeStatus } from './route-status.ts';
export { type NamespaceHttp, Routing, type RoutingOptions } from './routing.ts';
export {
  GrantIndex,
  type Placed,
  type PlacedGrant,
  type PlacedRoute,
  type PlacedTraffic,
  RouteIndex,
  RoutingIndex,
  TrafficIndex,
} from './routing-index.ts';
export { serviceHttp } from './service-http.ts';
export { trafficStatus } from './traffic-status.ts';
export { askingServices, NamespacePorts, workloadHttp } from './workload-http.ts';
