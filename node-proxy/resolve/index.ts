/** From an original destination to endpoints. */

export { Resolver, type ResolverOptions } from './resolver.ts';
export { compileTarget, releaseTarget, type Target } from './target.ts';
