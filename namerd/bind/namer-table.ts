/** Which namer answers a path. No two prefixes overlap, so there is never a question. */

import { MeshError } from '#base/errors.ts';
import type { Watchable } from '#base/watch.ts';
import type { Path } from '#names';
import { constant, type Namer, type NamerAnswer, NO_ANSWER, type SystemNamers } from '../namers/index.ts';

export class NamerPrefixError extends MeshError {
  constructor(message: string) {
    super('NM_NAMER_PREFIX', message, {
      by: 'config',
      next: "Give each namer a 'prefix' of its own that is no beginning of another.",
    });
  }
}

export class NamerTable {
  readonly #namers: readonly Namer[];
  readonly #system: SystemNamers;

  /** @throws NamerPrefixError when a prefix is empty or two of them overlap */
  constructor(namers: readonly Namer[], system: SystemNamers) {
    for (const [i, { kind, prefix }] of namers.entries()) {
      // The first element is the name space.
      if (prefix.size < 2) throw new NamerPrefixError(`the prefix of the namer ${kind} is empty`);
      const other = namers.slice(0, i).find(each => overlap(each.prefix, prefix));
      if (other !== undefined)
        throw new NamerPrefixError(
          `the prefix ${prefix} of the namer ${kind} overlaps with ${other.prefix} of ${other.kind}`,
        );
    }
    this.#namers = namers;
    this.#system = system;
  }

  /** @param vouched how many elements of the path the mesh's own rules wrote; see {@link Namer.openElems} */
  lookup(path: Path, vouched = Number.POSITIVE_INFINITY): Watchable<NamerAnswer> {
    const namer = this.#namers.find(({ prefix }) => path.startsWith(prefix));
    if (namer === undefined) return this.#system.lookup(path, vouched);
    const { openElems, prefix } = namer;
    if (openElems > 0 && vouched < prefix.size + openElems) return constant(NO_ANSWER);
    return namer.lookup(path.drop(prefix.size));
  }

  /** The ids that the namers could bind now, as far as they can tell. */
  names(): Path[] {
    return this.#namers.flatMap(namer => namer.names?.() ?? []);
  }
}

function overlap(a: Path, b: Path): boolean {
  return a.startsWith(b) || b.startsWith(a);
}
