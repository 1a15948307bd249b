/** From an original destination, or a name, to endpoints. */

export { BindingCache, type BindingCacheOptions } from './binding-cache.ts';
export { NameResolver, nameKey, Resolver, type ResolverOptions } from './resolver.ts';
export { compileTarget, releaseTarget, type Target } from './target.ts';
