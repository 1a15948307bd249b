/** `GRPCRoute`, as in the Gateway API (gateway.networking.k8s.io/v1). */

import type { Fields } from '#base/config.ts';
import type { Metadata } from '../metadata.ts';
import { readGrpcMatch } from './matches/grpc-matches.ts';
import { type RouteDialect, readRoute } from './route.ts';
import type { RouteDocument } from './route-document.ts';

const GRPC: RouteDialect = {
  kind: 'grpc',
  title: 'a GRPCRoute',
  readMatch: readGrpcMatch,
  filters: ['RequestHeaderModifier', 'ResponseHeaderModifier'],
  backendFilters: ['RequestHeaderModifier', 'ResponseHeaderModifier'],
  readMore: () => ({}),
};

/** @param spec the fields of `spec`; every problem is reported there, and then the result must not be used. */
export function readGrpcRoute(metadata: Metadata, spec: Fields): RouteDocument {
  return readRoute(GRPC, metadata, spec);
}
