/** Resource documents: reading, checking, compiling, printing, and what to say about them. */

export { readText as readDtabText } from './dtab-document.ts';
export { API_VERSION, KIND_FACTS, KINDS, type Kind, kindOf, nameProblem, resourceKey } from './kinds.ts';
export {
  dnsLabelProblem,
  dnsSubdomainProblem,
  dtabNamespaceProblem,
  type Metadata,
} from './metadata.ts';
export type { CompiledPolicy } from './policy/authorization-policy.ts';
export {
  type DtabResource,
  datedResource,
  documentWarnings,
  dtabResource,
  type GrantResource,
  type GrpcRouteResource,
  type HttpRouteResource,
  type JsonObject,
  type PolicyResource,
  plainResource,
  type ReadResources,
  type Resource,
  type ResourceOf,
  type RouteResource,
  readResources,
  type ServiceResource,
  showResource,
  type TrafficResource,
  type WorkloadResource,
} from './resource.ts';
export type { GrantDocument } from './routes/reference-grant.ts';
export type {
  RouteDocument,
  RouteDocumentBackend,
  RouteDocumentRule,
  RouteParent,
} from './routes/route-document.ts';
export { errorStatus, type ObjectStatus, type StatusState, sortStatus } from './status.ts';
export type { ServerSettings, TrafficDocument } from './traffic/traffic-document.ts';
export { timeOf } from './values/timestamp.ts';
