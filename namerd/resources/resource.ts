/**
 * Reading resource documents: any number of YAML (or JSON) documents, every problem at once, each with its
 * place. A document with a problem yields no resource; the others still do.
 */

import { stringify } from 'yaml';
import { type ConfigNode, type Problem, parseYaml } from '#base/config.ts';
import type { Dtab } from '#names';
import { readService, type Service } from '../registry/service.ts';
import { readWorkload, type Workload } from '../registry/workload.ts';
import { readDtab } from './dtab-document.ts';
import { apiVersionsOf, KIND_FACTS, KINDS, type Kind, resourceKey } from './kinds.ts';
import { type Metadata, readMetadata } from './metadata.ts';
import { type CompiledPolicy, readAuthorizationPolicy } from './policy/authorization-policy.ts';
import { readGrpcRoute } from './routes/grpc-route.ts';
import { readHttpRoute } from './routes/http-route.ts';
import { type GrantDocument, readReferenceGrant } from './routes/reference-grant.ts';
import type { RouteDocument } from './routes/route-document.ts';
import type { TrafficDocument } from './traffic/traffic-document.ts';
import { readTrafficPolicy } from './traffic/traffic-policy.ts';
import { timestampOf } from './values/timestamp.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

interface Document<K extends Kind, T> {
  readonly kind: K;
  readonly metadata: Metadata;
  /** As written. */
  readonly spec: JsonObject;
  /** What it means. */
  readonly value: T;
}

export type DtabResource = Document<'Dtab', Dtab>;
export type PolicyResource = Document<'AuthorizationPolicy', CompiledPolicy>;
export type TrafficResource = Document<'TrafficPolicy', TrafficDocument>;
export type HttpRouteResource = Document<'HTTPRoute', RouteDocument>;
export type GrpcRouteResource = Document<'GRPCRoute', RouteDocument>;
export type RouteResource = HttpRouteResource | GrpcRouteResource;
export type GrantResource = Document<'ReferenceGrant', GrantDocument>;
export type ServiceResource = Document<'Service', Service>;
export type WorkloadResource = Document<'Workload', Workload>;
export type Resource =
  | DtabResource
  | PolicyResource
  | TrafficResource
  | RouteResource
  | GrantResource
  | ServiceResource
  | WorkloadResource;
export type ResourceOf<K extends Kind> = Extract<Resource, { kind: K }>;

export interface ReadResources {
  resources: Resource[];
  problems: Problem[];
}

/** More documents than this in one text are refused. */
const MAX_DOCUMENTS = 10_000;
const API_VERSIONS = [...new Set(KINDS.flatMap(apiVersionsOf))];

/** @param file the name that problems carry. */
export function readResources(text: string, file: string): ReadResources {
  const { documents, problems } = parseYaml(text, file);
  const resources: Resource[] = [];
  const seen = new Set<string>();
  if (documents.length > MAX_DOCUMENTS)
    documents[MAX_DOCUMENTS]?.problem(`more than ${MAX_DOCUMENTS} documents in one file`);
  for (const document of documents.slice(0, MAX_DOCUMENTS)) {
    const before = problems.list.length;
    const resource = readDocument(document);
    if (resource === undefined || problems.list.length > before) continue;
    const id = `${resource.kind} ${resourceKey(resource.metadata)}`;
    if (seen.has(id)) document.problem(`${id} stands in this file twice`);
    else resources.push(resource);
    seen.add(id);
  }
  return { resources, problems: problems.list };
}

/** A Dtab made from its text, for interfaces that carry nothing else. @param before whose metadata it keeps */
export function dtabResource(name: string, dtab: Dtab, text: string, before?: DtabResource): DtabResource {
  const metadata = before?.metadata ?? { ...UNNAMED, name };
  return { kind: 'Dtab', metadata, spec: { dtab: text }, value: dtab };
}

/**
 * The document as it is stored: with the date of its creation, unless it stood there without one before.
 * @param before what is stored under its name. @param nowMs since the epoch
 */
export function datedResource<R extends Pick<Resource, 'metadata'>>(
  resource: R,
  before: R | undefined,
  nowMs: number,
): R {
  const { metadata } = resource;
  const known = metadata.creationTimestamp ?? before?.metadata.creationTimestamp;
  const creationTimestamp = known ?? (before === undefined ? timestampOf(nowMs) : undefined);
  if (creationTimestamp === metadata.creationTimestamp) return resource;
  return { ...resource, metadata: { ...metadata, creationTimestamp } };
}

/** The document as plain data, in the order in which people write it. */
export function plainResource(
  { kind, metadata, spec }: Pick<Resource, 'kind' | 'metadata' | 'spec'>,
  version?: string,
): JsonObject {
  const { name, namespace, labels, annotations, creationTimestamp } = metadata;
  return {
    apiVersion: KIND_FACTS[kind].apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(version === undefined ? {} : { resourceVersion: version }),
    },
    spec,
  };
}

/** What is allowed in the document but hardly meant, as far as it can be told from the document alone. */
export function documentWarnings({ kind, value }: Resource): readonly string[] {
  switch (kind) {
    case 'AuthorizationPolicy':
    case 'TrafficPolicy':
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'ReferenceGrant':
      return value.warnings;
    default:
      return [];
  }
}

/** The document as YAML. */
export function showResource(resource: Resource, version?: string): string {
  return stringify(plainResource(resource, version), { lineWidth: 0 });
}

function readDocument(document: ConfigNode): Resource | undefined {
  const fields = document.fields();
  const apiVersion = fields.need('apiVersion');
  const kindNode = fields.need('kind');
  const kind = KINDS.find(each => each === kindNode?.value);
  apiVersion?.oneOf(kind === undefined ? API_VERSIONS : apiVersionsOf(kind));
  kindNode?.oneOf(KINDS);
  const metadataNode = fields.need('metadata');
  const specNode = fields.need('spec');
  // Written by a server, not by people: it comes back when what `get` printed is applied.
  fields.get('status');
  fields.finish();
  if (kind === undefined) return undefined;
  const metadata = readMetadata(metadataNode, KIND_FACTS[kind]);
  if (specNode === undefined) return undefined;
  // Problems of the spec are worth reporting even if the name is wrong.
  return readSpec(kind, metadata ?? UNNAMED, specNode);
}

const UNNAMED: Metadata = {
  name: '',
  namespace: '',
  labels: {},
  annotations: {},
  resourceVersion: undefined,
};

function readSpec(kind: Kind, metadata: Metadata, node: ConfigNode): Resource {
  const fields = node.fields();
  const spec = (node.value ?? {}) as JsonObject;
  switch (kind) {
    case 'Dtab':
      return { kind, metadata, spec, value: readDtab(fields) };
    case 'AuthorizationPolicy':
      return { kind, metadata, spec, value: readAuthorizationPolicy(metadata, fields) };
    case 'TrafficPolicy':
      return { kind, metadata, spec, value: readTrafficPolicy(fields) };
    case 'HTTPRoute':
      return { kind, metadata, spec, value: readHttpRoute(metadata, fields) };
    case 'GRPCRoute':
      return { kind, metadata, spec, value: readGrpcRoute(metadata, fields) };
    case 'ReferenceGrant':
      return { kind, metadata, spec, value: readReferenceGrant(fields) };
    case 'Service':
      return { kind, metadata, spec, value: readService(metadata, fields) };
    case 'Workload':
      return { kind, metadata, spec, value: readWorkload(metadata, fields) };
  }
}
