/** The dtab by which the mesh binds: a base that leads services to the registry, then the namespace's own rules. */

import { Derived } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import { Dtab, leaf, type Path, Prefix } from '#names';

/** `/svc => /#/registry`. @param registry the whole prefix of the registry's namer */
export function baseDtab(registry: Path): Dtab {
  return Dtab.of([{ prefix: Prefix.of('svc'), dst: leaf(registry) }]);
}

/**
 * The rules of the namespace come last, so they win; a namespace that does not exist adds none. Keep the result:
 * bindings are shared by those who use the same object.
 */
export function meshDtab(base: Dtab, namespace: Watchable<Dtab | undefined>): Watchable<Dtab> {
  return new Derived(
    use => base.concat(use('namespace', () => namespace) ?? Dtab.empty),
    (a, b) => a.equals(b),
  );
}
