/** Route tables and requests for tests: everything a test does not speak of is the plainest there is. */

import type { RouteAction, RouteMatch, RouteTable } from '#api';
import type { RequestView } from '../../../node-proxy/policy/view.ts';

export function match(given: Partial<RouteMatch>): RouteMatch {
  return { action: 0, headers: [], query: [], ...given };
}

/** Each match leads to an action of its own. */
export function table(matches: readonly RouteMatch[]): RouteTable {
  return {
    matches: matches.map((each, action) => ({ ...each, action })),
    actions: matches.map((_, i) => action({ id: `ns/route[${i}]` })),
  };
}

export function action(given: Partial<RouteAction>): RouteAction {
  return {
    id: 'ns/route[0]',
    grpc: false,
    filters: [],
    backends: [{ weight: 1, name: '/svc/ns/web/http', filters: [] }],
    ...given,
  };
}

export function request(
  given: {
    method?: string;
    path?: string;
    authority?: string;
    headers?: Readonly<Record<string, string>>;
  } = {},
): RequestView {
  const headers = new Map(Object.entries(given.headers ?? {}));
  return {
    method: given.method ?? 'GET',
    path: given.path ?? '/',
    authority: given.authority ?? 'web',
    header: name => headers.get(name),
  };
}
