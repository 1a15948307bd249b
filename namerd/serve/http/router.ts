/** Which handler answers a path and method: literal segments win over `:names`. */

import { type Handler, HttpError, type Method } from './exchange.ts';

export interface Route {
  /** `/api/1/dtabs/:ns`; a `:name` stands for one segment. A slash at the end of a path makes no difference. */
  pattern: string;
  handlers: Readonly<Partial<Record<Method, Handler>>>;
}

interface Compiled {
  pattern: string;
  segments: readonly string[];
  /** For 405. */
  allow: string;
  handlers: Route['handlers'];
}

export interface Match {
  /** The pattern. */
  route: string;
  handler: Handler;
  params: Record<string, string>;
}

export class Router {
  readonly #routes: readonly Compiled[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map(({ pattern, handlers }) => ({
      pattern,
      segments: split(pattern),
      allow: allowed(handlers).join(', '),
      handlers,
    }));
  }

  /** @throws HttpError 400 (bad percent-encoding), 404, 405 with `Allow` */
  match(method: string, path: string): Match {
    const segments = split(path);
    const candidates = this.#routes.filter(route => fits(route.segments, segments));
    // Of several, the one whose first difference is a literal.
    const [best] = candidates.sort((a, b) => literals(b.segments).localeCompare(literals(a.segments)));
    if (best === undefined) throw new HttpError(404, `there is nothing at ${path}`);
    const handler = best.handlers[method as Method] ?? (method === 'HEAD' ? best.handlers.GET : undefined);
    if (handler === undefined)
      throw new HttpError(405, `${method} is not possible at ${path}: ${best.allow}`, { Allow: best.allow });
    return { route: best.pattern, handler, params: paramsOf(best.segments, segments) };
  }
}

function split(path: string): string[] {
  const segments = path.split('/').slice(1);
  if (segments.at(-1) === '') segments.pop();
  return segments;
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((each, i) => (each.startsWith(':') ? segments[i] !== '' : each === segments[i]))
  );
}

function literals(pattern: readonly string[]): string {
  return pattern.map(each => (each.startsWith(':') ? '0' : '1')).join('');
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  pattern.forEach((each, i) => {
    if (each.startsWith(':')) params[each.slice(1)] = decoded(segments[i] ?? '');
  });
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, `'${segment}' is not percent-encoded UTF-8`);
  }
}

function allowed(handlers: Route['handlers']): string[] {
  const methods = new Set(Object.keys(handlers));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}
