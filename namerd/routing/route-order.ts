/**
 * In which order matches are tried, so that the first that fits is the one that the Gateway API means.
 *
 *   HTTPRoute   an exact path, a regular expression (ours: the standard leaves its place open), the longest prefix;
 *               then one with a method, the most headers, the most query parameters
 *   GRPCRoute   the longest service, the longest method, the most headers; its methods have become paths
 *   both        then the older route (one without a date was there before dates were noted), the route's
 *               `<namespace>/<name>`, the order within the route
 *
 * Matches of GRPCRoutes are tried before those of HTTPRoutes: they fit gRPC requests only, which are the special case.
 */

import type { RouteMatch } from '#api';
import { timeOf } from '../resources/index.ts';
import type { PlacedRoute } from './routing-index.ts';
import { placeOf } from './routing-index.ts';

export type Match = Omit<RouteMatch, 'action'>;

/** One match of one rule of one route. */
export interface Candidate {
  readonly route: PlacedRoute;
  /** `<namespace>/<name>` of the route. */
  readonly key: string;
  /** Index of the rule within the route. */
  readonly rule: number;
  readonly match: Match;
}

/** @returns all matches of the routes, the one that is tried first in front. */
export function orderedMatches(routes: readonly PlacedRoute[]): Candidate[] {
  const candidates = routes.flatMap(route => {
    const key = placeOf(route);
    const { creationTimestamp } = route.metadata;
    const created = creationTimestamp === undefined ? 0 : timeOf(creationTimestamp);
    return route.value.rules.flatMap(({ matches }, rule) =>
      matches.map(match => ({ route, key, rule, match, rank: rankOf(route, match), created })),
    );
  });
  // Sorting is stable: within a route the order of rules and matches stays.
  return candidates.sort(
    (a, b) =>
      compareRanks(a.rank, b.rank) || a.created - b.created || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
}

const HTTP_KINDS = { exact: 2, regex: 1, prefix: 0 } as const;
/** A service and method, a service, a method of any service or a pattern. */
const GRPC_KINDS = { exact: 2, prefix: 1, regex: 0 } as const;
const ANY_PATH: NonNullable<Match['path']> = { kind: 'prefix', value: '/' };

/** Larger goes before smaller, from left to right. */
function rankOf({ value: { kind } }: PlacedRoute, match: Match): readonly number[] {
  const { path = ANY_PATH, method, headers, query } = match;
  const length = path.kind === 'prefix' ? path.value.length : 0;
  if (kind === 'http')
    return [0, HTTP_KINDS[path.kind], length, method === undefined ? 0 : 1, headers.length, query.length];
  const isAny = path.kind === 'prefix' && path.value === '/';
  return [1, isAny ? -1 : GRPC_KINDS[path.kind], length, 0, headers.length, 0];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (b[i] ?? 0) - (a[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Equal for matches that fit the same requests by the same conditions, in whatever order they are written. */
export function matchText({ route, match }: Candidate): string {
  const fields = (list: Match['headers']) =>
    list.map(({ name, kind, value }) => JSON.stringify([name, kind, value])).sort();
  const { path = ANY_PATH, method = '', headers, query } = match;
  return JSON.stringify([route.value.kind, path.kind, path.value, method, fields(headers), fields(query)]);
}
