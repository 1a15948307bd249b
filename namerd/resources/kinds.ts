/** The kinds of resource documents: their spellings and how their objects are named. */

import { dnsLabelProblem, dnsSubdomainProblem, dtabNamespaceProblem, type NameRule } from './metadata.ts';

export const API_VERSION = 'nodemesh.io/v1alpha1';
const GATEWAY_API_VERSION = 'gateway.networking.k8s.io/v1';
/** Under which a kind of the Gateway API was known before, and is on many clusters. */
const GATEWAY_API_BETA = 'gateway.networking.k8s.io/v1beta1';
export const KINDS = [
  'Dtab',
  'AuthorizationPolicy',
  'TrafficPolicy',
  'HTTPRoute',
  'GRPCRoute',
  'ReferenceGrant',
  'Service',
  'Workload',
] as const;
export type Kind = (typeof KINDS)[number];

export interface KindFacts extends NameRule {
  /** What documents of the kind begin with. */
  apiVersion: string;
  /** Also read, and meaning the same. */
  otherVersions?: readonly string[];
  /** As in paths of the API and in directories. */
  plural: string;
  /** Other spellings that people type. */
  aliases: readonly string[];
}

export const KIND_FACTS: Readonly<Record<Kind, KindFacts>> = {
  Dtab: {
    apiVersion: API_VERSION,
    plural: 'dtabs',
    aliases: ['dtab'],
    namespaced: false,
    check: dtabNamespaceProblem,
  },
  AuthorizationPolicy: {
    apiVersion: API_VERSION,
    plural: 'authorizationpolicies',
    aliases: ['authorizationpolicy', 'policies', 'policy', 'authz'],
    namespaced: true,
    check: dnsSubdomainProblem,
  },
  TrafficPolicy: {
    apiVersion: API_VERSION,
    plural: 'trafficpolicies',
    aliases: ['trafficpolicy', 'traffic', 'tp'],
    namespaced: true,
    check: dnsSubdomainProblem,
  },
  HTTPRoute: {
    apiVersion: GATEWAY_API_VERSION,
    plural: 'httproutes',
    aliases: ['httproute', 'http'],
    namespaced: true,
    check: dnsSubdomainProblem,
  },
  GRPCRoute: {
    apiVersion: GATEWAY_API_VERSION,
    plural: 'grpcroutes',
    aliases: ['grpcroute', 'grpc'],
    namespaced: true,
    check: dnsSubdomainProblem,
  },
  ReferenceGrant: {
    apiVersion: GATEWAY_API_VERSION,
    otherVersions: [GATEWAY_API_BETA],
    plural: 'referencegrants',
    aliases: ['referencegrant', 'refgrant'],
    namespaced: true,
    check: dnsSubdomainProblem,
  },
  Service: {
    apiVersion: API_VERSION,
    plural: 'services',
    aliases: ['service', 'svc'],
    namespaced: true,
    check: dnsLabelProblem,
  },
  Workload: {
    apiVersion: API_VERSION,
    plural: 'workloads',
    aliases: ['workload', 'wl'],
    namespaced: true,
    check: dnsSubdomainProblem,
  },
};

/** Every `apiVersion` under which documents of the kind are read; the first is the one they are shown with. */
export function apiVersionsOf(kind: Kind): readonly string[] {
  const { apiVersion, otherVersions = [] } = KIND_FACTS[kind];
  return [apiVersion, ...otherVersions];
}

/** The kind that a plural, singular or alias of any case means. */
export function kindOf(word: string): Kind | undefined {
  const wanted = word.toLowerCase();
  return KINDS.find(kind => KIND_FACTS[kind].plural === wanted || KIND_FACTS[kind].aliases.includes(wanted));
}

/** What is wrong with the names of an object, wherever they come from; undefined if nothing. */
export function nameProblem(
  kind: Kind,
  { namespace, name }: { namespace: string; name: string },
): string | undefined {
  const { namespaced, check } = KIND_FACTS[kind];
  return (namespaced ? dnsLabelProblem(namespace) : undefined) ?? check(name);
}

/** What identifies an object within its kind: `<namespace>/<name>`, or `<name>` for kinds without namespace. */
export function resourceKey({ namespace, name }: { namespace: string; name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}
