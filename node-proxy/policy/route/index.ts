/** Routes, compiled: which rule a request meets, and what that does with it. Pure. */

export { CompiledAction, CompiledBackend, CompiledFilters } from './action.ts';
export type { CompiledMatch } from './compiled-match.ts';
export { RouteMatcher } from './matcher.ts';
export { CompiledRedirect, type RedirectedRequest, redirectLocation } from './redirect.ts';
