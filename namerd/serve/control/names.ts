/** `/api/1/{bind,addr,resolve,delegate,bound-names}`: where names lead, and why. */

import type { BoundTree } from '#api';
import type { Clock } from '#base/clock.ts';
import { Derived } from '#base/derived.ts';
import type { MeshError } from '#base/errors.ts';
import type { Watchable } from '#base/watch.ts';
import { Dtab, type Path } from '#names';
import type { Interpreter } from '../../bind/index.ts';
import { type Activity, constant } from '../../namers/index.ts';
import { flag, HttpError, json, type Reply, type Request } from '../http/exchange.ts';
import { mediaType } from '../http/media-type.ts';
import type { Route } from '../http/router.ts';
import { addrOfId, boundTreeJson, resolvedAddr } from './bound-json.ts';
import { parseJson } from './dtab-format.ts';
import { readDtab, readPath, settled } from './name-request.ts';

export interface NameParts {
  interpreter: Interpreter;
  /** The dtab of a namespace; the empty one when there is none. Equal names give the same object. */
  dtabOf: (namespace: string) => Watchable<Dtab>;
  clock: Clock;
}

export function nameRoutes(parts: NameParts): Route[] {
  const delegateTo = (request: Request, question: Question) => delegate(parts, request, question);
  const inQuery = ({ query, params }: Request): Question => ({
    namespace: params['ns'] ?? query.get('namespace') ?? undefined,
    path: query.get('path'),
    dtab: query.get('dtab'),
  });
  return [
    { pattern: '/api/1/bind/:ns', handlers: { GET: request => bind(parts, request, boundTreeJson) } },
    { pattern: '/api/1/resolve/:ns', handlers: { GET: request => bind(parts, request, resolvedAddr) } },
    { pattern: '/api/1/addr/:ns', handlers: { GET: request => addr(parts, request) } },
    { pattern: '/api/1/delegate/:ns', handlers: { GET: request => delegateTo(request, inQuery(request)) } },
    {
      pattern: '/api/1/delegate',
      handlers: {
        GET: request => delegateTo(request, inQuery(request)),
        POST: async request => delegateTo(request, await inBody(request, inQuery(request))),
      },
    },
    {
      pattern: '/api/1/bound-names',
      handlers: { GET: () => json(parts.interpreter.names().map(({ show }) => show)) },
    },
  ];
}

function bind(
  parts: NameParts,
  request: Request,
  shown: (tree: BoundTree) => unknown,
): Reply | Promise<Reply> {
  const path = readPath(request.query.get('path'));
  const extra = readDtab(request.query.get('dtab'));
  const base = parts.dtabOf(request.params['ns'] ?? '');
  // A binding with dentries of its own serves nobody else: kept ready, it would only take memory.
  const source = extra.isEmpty
    ? parts.interpreter.bind(base, path)
    : parts.interpreter.bindAlone(withExtra(base, extra), path);
  return answer(parts, request, source, shown);
}

/** The dtab plays no part: an id is bound already. */
function addr(parts: NameParts, request: Request): Reply | Promise<Reply> {
  const path = withoutTransformers(readPath(request.query.get('path')));
  return answer(parts, request, parts.interpreter.bind(NO_DTAB, path), addrOfId);
}

const NO_DTAB = constant(Dtab.empty);

/** `/%/<transformer>/…/#/…` → `/#/…`, as Linkerd's ids may look. */
function withoutTransformers(path: Path): Path {
  if (path.elems[0] !== '%') return path;
  const start = path.elems.findIndex(elem => elem === '#' || elem === '$');
  return start < 0 ? path : path.drop(start);
}

/** Failures that lie in what was asked for: asking again changes nothing. */
const BAD_NAME = new Set(['NM_UNKNOWN_NAMER', 'NM_BIND_DEPTH', 'NM_BIND_SIZE']);

function statusOf({ code }: MeshError): number {
  return BAD_NAME.has(code) ? 400 : 500;
}

async function answer<T>(
  { clock }: NameParts,
  request: Request,
  source: Watchable<Activity<T>>,
  shown: (value: T) => unknown,
): Promise<Reply> {
  if (flag(request.query, 'watch')) return stream(source, shown);
  const activity = await settled(source, ({ state }) => state !== 'pending', request, clock);
  if (activity.state === 'failed') throw new HttpError(statusOf(activity.error), activity.error.message);
  if (activity.state === 'pending') throw new HttpError(503, 'still pending');
  return json(shown(activity.value));
}

/** A failure is the last line, as Linkerd's namerd has it. */
function stream<T>(source: Watchable<Activity<T>>, shown: (value: T) => unknown): Reply {
  return {
    status: 200,
    type: 'application/json',
    lines: (tell, end) =>
      source.observe(activity => {
        if (activity.state === 'ok') tell(JSON.stringify(shown(activity.value)));
        else if (activity.state === 'failed') end(activity.error.message);
      }),
  };
}

interface Question {
  namespace: string | undefined;
  path: string | null | undefined;
  dtab: string | null | undefined;
}

function delegate(parts: NameParts, request: Request, question: Question): Promise<Reply> {
  const path = readPath(question.path, { brief: true });
  const extra = readDtab(question.dtab, { brief: true });
  const base = question.namespace === undefined ? NO_DTAB : parts.dtabOf(question.namespace);
  return answer(parts, request, parts.interpreter.delegate(withExtra(base, extra), path), tree => tree);
}

/** `{namespace, dtab, path}` in JSON; what is missing there is taken from the query. @throws HttpError 400, 415 */
async function inBody(request: Request, query: Question): Promise<Question> {
  const body = await request.text();
  if (body === '') return query;
  if (mediaType(request.headers['content-type']) !== 'application/json')
    throw new HttpError(415, 'the body must be application/json: {"namespace": …, "dtab": …, "path": …}');
  const value = (parseJson(body) ?? {}) as Record<string, unknown>;
  const read = (name: keyof Question) => {
    const field = value[name] ?? query[name] ?? undefined;
    if (field === undefined || typeof field === 'string') return field;
    throw new HttpError(400, `'${name}' must be a text`);
  };
  return { namespace: read('namespace'), dtab: read('dtab'), path: read('path') };
}

/** Without more dentries it is the same object, whose bindings are shared. */
function withExtra(dtab: Watchable<Dtab>, extra: Dtab): Watchable<Dtab> {
  if (extra.isEmpty) return dtab;
  return new Derived(
    use => use('dtab', () => dtab).concat(extra),
    (a, b) => a.equals(b),
  );
}
