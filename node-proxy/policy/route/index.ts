/** Routes, compiled: which rule a request meets, what that does with it, and what the request names. Pure. */

export { CompiledAction, CompiledBackend, CompiledFilters } from './action.ts';
export { hashOf } from './hash.ts';
export { Identifiers, OWN_NAME } from './identifiers.ts';
export type { CompiledMatch } from './match/compiled-match.ts';
export { RouteMatcher } from './match/matcher.ts';
export { CompiledRedirect, type RedirectedRequest, redirectLocation } from './redirect.ts';
