/** Objects as namerd's API takes and shows them. */

import {
  type JsonObject,
  KIND_FACTS,
  KINDS,
  type Kind,
  kindOf,
  type ObjectStatus,
  plainResource,
  type Resource,
  resourceKey,
} from '../resources/index.ts';
import type { ApiClient } from './api-client.ts';
import { UsageError } from './terminal.ts';

export interface ShownObject {
  apiVersion: string;
  kind: Kind;
  metadata: { name: string; namespace?: string; creationTimestamp?: string; resourceVersion?: string };
  spec: JsonObject;
  status?: { state: string; source: string; messages: string[] };
}

export interface PutAnswer {
  created: boolean;
  /** What is to be said about the object. */
  status: ObjectStatus[];
}

/** A document that says which version it was made from is only written over that one. */
export function putResource(api: ApiClient, resource: Resource, dryRun: boolean): Promise<PutAnswer> {
  const version = resource.metadata.resourceVersion;
  return api.json<PutAnswer>(resourcePath(resource), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    query: { dryRun: dryRun ? 'true' : undefined },
    body: JSON.stringify(plainResource(resource, version)),
  });
}

/** The document's place in the API. */
export function resourcePath({ kind, metadata }: Resource): string[] {
  return ['resources', KIND_FACTS[kind].plural, ...resourceKey(metadata).split('/')];
}

/** As {@link resourcePath}, for `<name>` with a namespace beside it, or `<namespace>/<name>`. @throws UsageError */
export function namedPath(kind: Kind, name: string, namespace: string | undefined): string[] {
  const { plural, namespaced } = KIND_FACTS[kind];
  if (!namespaced) return ['resources', plural, name];
  const slash = name.indexOf('/');
  if (slash < 0) return ['resources', plural, namespace ?? 'default', name];
  if (namespace !== undefined && namespace !== name.slice(0, slash))
    throw new UsageError(`--namespace says ${namespace}, the name says ${name.slice(0, slash)}`);
  return ['resources', plural, name.slice(0, slash), name.slice(slash + 1)];
}

/** @throws UsageError */
export function kindNamed(word: string): Kind {
  const kind = kindOf(word);
  if (kind !== undefined) return kind;
  throw new UsageError(
    `there is no kind '${word}': ${KINDS.map(each => KIND_FACTS[each].plural).join(', ')}`,
  );
}
