/**
 * `io.l5d.rewrite`: names that match a pattern become another name. What the pattern does not cover is dropped,
 * unlike what a dentry does: existing configurations rely on it.
 */

import type { Watchable } from '#base/watch.ts';
import { NameSyntaxError, Path, PathMatcher, parsePath } from '#names';
import { constant, goOn, type Namer, type NamerAnswer, NamerError, NO_ANSWER, ok } from './namer.ts';

export interface RewriteNamerOptions {
  /** Below `/#`. */
  prefix: Path;
  /** Such as `/{ns}/{svc}-{version}`. */
  pattern: string;
  /** The new name, with `{captures}`. */
  name: string;
}

export class RewriteNamer implements Namer {
  readonly kind = 'io.l5d.rewrite';
  readonly prefix: Path;
  /** What it makes of a name that is not the mesh's own is not the mesh's own either. */
  readonly openElems = 0;
  readonly #matcher: PathMatcher;
  readonly #name: string;

  /** @throws NamerError, NameSyntaxError when the pattern or the name can't be used */
  constructor({ prefix, pattern, name }: RewriteNamerOptions) {
    this.prefix = Path.of('#').concat(prefix);
    this.#matcher = PathMatcher.parse(pattern);
    this.#name = name;
    const unknown = this.#matcher.unknownIn(name);
    if (unknown !== undefined)
      throw new NamerError(
        `the name ${name} uses {${unknown}}, which the pattern ${pattern} does not capture`,
        `Captured are: ${this.#matcher.variables.join(', ') || 'none'}.`,
      );
    checkName(name);
  }

  lookup(rest: Path): Watchable<NamerAnswer> {
    const path = this.#matcher.substitutePath(rest, this.#name);
    return constant(path === undefined ? NO_ANSWER : ok(goOn(path)));
  }
}

/** With something in place of every capture it must be a path. */
function checkName(name: string): void {
  try {
    parsePath(name.replace(/\{[^{}]*\}/g, 'x'));
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    throw new NamerError(
      `the name ${name} is no path: ${error.message}`,
      'Write it as /a/{capture}/b.',
      error,
    );
  }
}
