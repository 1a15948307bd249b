/** The two things that a worker resolves: original destinations, and names that HTTP routes lead to. */

import type { AddressState, NameState } from '#api';
import type { EndpointTable } from '../balance/index.ts';
import { BindingCache, type BindingCacheOptions } from './binding-cache.ts';
import { compileTarget, releaseTarget, type Target } from './target.ts';

/** How a cache asks for keys, and how much it keeps. */
export type ResolverOptions = Omit<BindingCacheOptions<never, never>, 'compile' | 'release'>;

/** Key: canonical `ip:port` of an original destination. */
export class Resolver extends BindingCache<AddressState, Target> {
  constructor(options: ResolverOptions & { endpoints: EndpointTable }) {
    const { endpoints, ...rest } = options;
    super({
      ...rest,
      compile: state => compileTarget(state, endpoints),
      release: target => releaseTarget(target, endpoints),
    });
  }
}

/** Key: {@link nameKey}. What a name compiles to is its owner's affair. */
export class NameResolver<T extends object> extends BindingCache<NameState, T> {}

/**
 * @param path `/svc/<namespace>/<service>/<port>` or any other name.
 * @param dtab put behind the mesh's own for this name only (`l5d-dtab`); '' = none.
 */
export function nameKey(path: string, dtab = ''): string {
  return dtab === '' ? path : `${path} ${dtab}`;
}
