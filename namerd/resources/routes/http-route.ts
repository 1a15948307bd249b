/** `HTTPRoute`, as in the Gateway API (gateway.networking.k8s.io/v1). */

import type { Fields } from '#base/config.ts';
import type { Metadata } from '../metadata.ts';
import { optional } from '../values/fields.ts';
import { readHttpMatch } from './matches/http-matches.ts';
import { type RouteDialect, readRoute } from './route.ts';
import type { RouteDocument } from './route-document.ts';
import { readRetry, readTimeouts } from './timing.ts';

const HTTP: RouteDialect = {
  kind: 'http',
  title: 'an HTTPRoute',
  readMatch: readHttpMatch,
  filters: ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite'],
  backendFilters: ['RequestHeaderModifier', 'ResponseHeaderModifier', 'URLRewrite'],
  readMore: (fields, reading) => ({
    ...readTimeouts(optional(fields, 'timeouts')),
    retry: readRetry(optional(fields, 'retry'), reading),
  }),
};

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readHttpRoute(metadata: Metadata, spec: Fields): RouteDocument {
  return readRoute(HTTP, metadata, spec);
}
