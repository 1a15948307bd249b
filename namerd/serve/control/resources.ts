/** `/api/1/resources`: objects of all kinds as documents, with conditional writes and dry runs. */

import { ConfigError } from '#base/config.ts';
import {
  KIND_FACTS,
  KINDS,
  type Kind,
  kindOf,
  nameProblem,
  type ObjectStatus,
  type Resource,
  readResources,
  resourceKey,
} from '../../resources/index.ts';
import { type DocumentStore, NotFoundError, storeOf, VersionMismatchError } from '../../store/index.ts';
import { matchesStrongly, matchesWeakly, readCondition } from '../http/entity-tag.ts';
import { flag, HttpError, json, noContent, type Reply, type Request } from '../http/exchange.ts';
import type { Route } from '../http/router.ts';
import type { Catalog } from './catalog.ts';
import { conditionalDelete, conditionalPut } from './conditional-write.ts';

/** @param foresee what would be said about the object if it were stored. */
export function resourceRoutes(
  catalog: Catalog,
  foresee: (resource: Resource) => readonly ObjectStatus[],
): Route[] {
  const object = {
    GET: (request: Request) => get(catalog, request),
    PUT: (request: Request) => put(catalog, foresee, request),
    DELETE: (request: Request) => remove(catalog, request),
  };
  const kinds = () => json(KINDS.map(kind => ({ kind, ...KIND_FACTS[kind], check: undefined })));
  return [
    { pattern: '/api/1/resources', handlers: { GET: kinds } },
    { pattern: '/api/1/resources/:kind', handlers: { GET: request => list(catalog, request) } },
    { pattern: '/api/1/resources/:kind/:name', handlers: object },
    { pattern: '/api/1/resources/:kind/:namespace/:name', handlers: object },
    { pattern: '/api/1/status', handlers: { GET: () => json(catalog.statuses()) } },
  ];
}

interface Target {
  kind: Kind;
  key: string;
  store: DocumentStore<Resource>;
}

function readKind({ params }: Request): Kind {
  const kind = kindOf(params['kind'] ?? '');
  if (kind !== undefined) return kind;
  const known = KINDS.map(each => KIND_FACTS[each].plural).join(', ');
  throw new HttpError(404, `there is no kind '${params['kind']}': ${known}`);
}

/** Kinds without namespace are named by one segment, the others by two. @throws HttpError 400, 404 */
function targetOf(catalog: Catalog, request: Request): Target {
  const kind = readKind(request);
  const { namespace = '', name = '' } = request.params;
  if ((namespace !== '') !== KIND_FACTS[kind].namespaced) {
    const form = KIND_FACTS[kind].namespaced ? '<namespace>/<name>' : '<name>';
    throw new HttpError(404, `a ${kind} is named /api/1/resources/${KIND_FACTS[kind].plural}/${form}`);
  }
  const problem = nameProblem(kind, { namespace, name });
  if (problem !== undefined) throw new HttpError(400, problem);
  return { kind, key: resourceKey({ namespace, name }), store: storeOf(catalog.storage, kind) };
}

function list(catalog: Catalog, request: Request): Reply {
  const kind = readKind(request);
  const namespace = request.query.get('namespace');
  const items = catalog
    .list(kind)
    .filter(
      ({ metadata }) => namespace === null || (metadata as { namespace?: string }).namespace === namespace,
    );
  return json({ kind: `${kind}List`, items });
}

function get(catalog: Catalog, request: Request): Reply {
  const { kind, key } = targetOf(catalog, request);
  const found = catalog.get(kind, key);
  if (found === undefined) throw new NotFoundError(key);
  const { object, version } = found;
  if (version === undefined) return json(object);
  if (matchesWeakly(readCondition(request.headers['if-none-match']), version))
    return { status: 304, etag: version };
  return json(object, { etag: version });
}

async function put(
  catalog: Catalog,
  foresee: (resource: Resource) => readonly ObjectStatus[],
  request: Request,
): Promise<Reply> {
  const target = targetOf(catalog, request);
  const { kind, key, store } = target;
  const resource = readBody(await request.text(), target);
  const file = catalog.fileOf(kind, key);
  if (file !== undefined)
    throw new HttpError(
      409,
      `${kind} ${key} stands in ${file}, which goes before the storage: edit that file`,
    );
  // A document that says which version it was made from is a conditional write, as in Kubernetes.
  const { resourceVersion } = resource.metadata;
  const headers =
    resourceVersion === undefined || request.headers['if-match'] !== undefined
      ? request.headers
      : { ...request.headers, 'if-match': resourceVersion };
  const foreseen = foresee(resource);
  if (flag(request.query, 'dryRun')) {
    checkCondition(store, key, headers['if-match']);
    return json({ dryRun: true, created: !store.documents.current.has(key), status: foreseen });
  }
  const { version, created } = await conditionalPut(store, key, resource, { headers });
  const reply = { created, version, status: foreseen };
  return json(reply, { status: created ? 201 : 200, etag: version });
}

function checkCondition(store: DocumentStore<Resource>, key: string, ifMatch: string | undefined): void {
  const condition = readCondition(ifMatch);
  const stored = store.documents.current.get(key);
  if (condition.type === 'none') return;
  if (stored === undefined) throw new NotFoundError(key);
  if (!matchesStrongly(condition, stored.version)) throw new VersionMismatchError(key, stored.version);
}

/** @throws ConfigError with every problem; HttpError 400 when it is another object than the path names */
function readBody(text: string, { kind, key }: Target): Resource {
  const { resources, problems } = readResources(text, 'body');
  if (problems.length > 0) throw new ConfigError(problems);
  const [resource] = resources;
  if (resource === undefined || resources.length > 1) throw new HttpError(400, 'one document is expected');
  const own = resourceKey(resource.metadata);
  if (resource.kind !== kind || own !== key)
    throw new HttpError(400, `the document is ${resource.kind} ${own}, the path names ${kind} ${key}`);
  return resource;
}

async function remove(catalog: Catalog, request: Request): Promise<Reply> {
  const { kind, key, store } = targetOf(catalog, request);
  const file = catalog.fileOf(kind, key);
  if (file !== undefined && !store.documents.current.has(key))
    throw new HttpError(409, `${kind} ${key} stands in ${file}: remove it there`);
  await conditionalDelete(store, key, request);
  return noContent();
}
