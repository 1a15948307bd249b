/** `/api/1/dtabs`: the dtab store over HTTP, as Linkerd's namerd serves it, with the repairs of the README. */

import { type DtabResource, dtabNamespaceProblem, dtabResource } from '../../resources/index.ts';
import { type DocumentStore, type Documents, NotFoundError, type Versioned } from '../../store/index.ts';
import { matchesWeakly, readCondition } from '../http/entity-tag.ts';
import { flag, HttpError, json, noContent, type Reply, type Request } from '../http/exchange.ts';
import type { Route } from '../http/router.ts';
import { conditionalDelete, conditionalPut } from './conditional-write.ts';
import { type DtabType, readDtabBody, showDeleted, showDtab, wantedType } from './dtab-format.ts';

type Dtabs = DocumentStore<DtabResource>;

export function dtabRoutes(store: Dtabs): Route[] {
  return [
    { pattern: '/api/1/dtabs', handlers: { GET: request => list(store, request) } },
    {
      pattern: '/api/1/dtabs/:ns',
      handlers: {
        GET: request => get(store, request),
        PUT: request => put(store, request),
        POST: request => create(store, request),
        DELETE: request => remove(store, request),
      },
    },
  ];
}

function list(store: Dtabs, { query }: Request): Reply {
  const names = (documents: Documents<DtabResource>) => [...documents.keys()];
  if (!flag(query, 'watch')) return json(names(store.documents.current));
  return {
    status: 200,
    type: 'application/json',
    lines: tell => store.documents.observe(changed(tell, names)),
  };
}

/** Passes on JSON lines, each only when it differs from the one before. */
function changed<T>(tell: (line: string) => void, shown: (value: T) => unknown): (value: T) => void {
  let last: string | undefined;
  return value => {
    const line = JSON.stringify(shown(value));
    if (line === last) return;
    last = line;
    tell(line);
  };
}

function get(store: Dtabs, request: Request): Reply {
  const ns = namespaceOf(request);
  const type = wantedType(request.headers.accept);
  if (flag(request.query, 'watch')) return watch(store, ns, type);
  const stored = store.documents.current.get(ns);
  if (stored === undefined) throw new NotFoundError(ns);
  if (matchesWeakly(readCondition(request.headers['if-none-match']), stored.version))
    return { status: 304, etag: stored.version };
  return { status: 200, type, etag: stored.version, body: `${showDtab(stored.value.value, type)}\n` };
}

/** A dtab that does not exist yet is waited for; one that is deleted says so. */
function watch({ documents }: Dtabs, ns: string, type: DtabType): Reply {
  let last: Versioned<DtabResource> | undefined;
  return {
    status: 200,
    type,
    lines: tell =>
      documents.observe(all => {
        const stored = all.get(ns);
        if (stored === last) return;
        const same = last !== undefined && stored?.value.value.equals(last.value.value);
        last = stored;
        if (!same) tell(stored === undefined ? showDeleted(type) : showDtab(stored.value.value, type));
      }),
  };
}

async function put(store: Dtabs, request: Request): Promise<Reply> {
  const { name, dtab } = await readBody(store, request);
  const { version } = await conditionalPut(store, name, dtab, request);
  return noContent(version);
}

async function create(store: Dtabs, request: Request): Promise<Reply> {
  const { name, dtab } = await readBody(store, request);
  return noContent(await store.create(name, dtab));
}

async function remove(store: Dtabs, request: Request): Promise<Reply> {
  await conditionalDelete(store, namespaceOf(request), request);
  return noContent();
}

/** @throws HttpError 400 when no dtab can have this name */
function namespaceOf({ params }: Request): string {
  const { ns = '' } = params;
  const problem = dtabNamespaceProblem(ns);
  if (problem !== undefined) throw new HttpError(400, problem);
  return ns;
}

async function readBody(store: Dtabs, request: Request): Promise<{ name: string; dtab: DtabResource }> {
  const name = namespaceOf(request);
  const { dtab, text } = readDtabBody(await request.text(), request.headers['content-type']);
  const before = store.documents.current.get(name)?.value;
  return { name, dtab: dtabResource(name, dtab, text, before) };
}
