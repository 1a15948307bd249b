/**
 * A delegation table: an ordered list of rewriting rules. The last rule that matches is tried first; order
 * alone decides, never the length of a prefix.
 */

import { PrefixIndex } from './dtab-index.ts';
import type { Path } from './path.ts';
import { Prefix } from './prefix.ts';
import { showTree } from './show.ts';
import { alt, mapTree, type NameTree, NEG, simplifyTree } from './tree.ts';

export interface Dentry {
  readonly prefix: Prefix;
  readonly dst: NameTree<Path>;
}

/** Stands where a step was taken without a dentry (Linkerd prints it for the root of a delegation). */
export const NOP_DENTRY: Dentry = { prefix: Prefix.of('/'), dst: NEG };

/** `prefix=>dst` */
export function showDentry({ prefix, dst }: Dentry): string {
  return `${prefix.show}=>${showTree(dst)}`;
}

/** What one dentry makes of a path that its prefix matches: its tree, with the rest of the path behind each leaf. */
export function applyDentry({ prefix, dst }: Dentry, path: Path): NameTree<Path> {
  const rest = path.drop(prefix.size);
  return rest.isEmpty ? dst : mapTree(dst, each => each.concat(rest));
}

/** Below this, trying each dentry is cheaper than building an index. */
const INDEX_FROM = 12;

export class Dtab {
  readonly dentries: readonly Dentry[];
  #text: string | undefined;
  #index: PrefixIndex | undefined;

  private constructor(dentries: readonly Dentry[]) {
    this.dentries = dentries;
  }

  static readonly empty = new Dtab([]);

  static of(dentries: readonly Dentry[]): Dtab {
    return dentries.length === 0 ? Dtab.empty : new Dtab(dentries);
  }

  get size(): number {
    return this.dentries.length;
  }

  get isEmpty(): boolean {
    return this.dentries.length === 0;
  }

  /** The canonical text, dentries joined by `;`: `parseDtab(dtab.show)` equals the dtab. */
  get show(): string {
    this.#text ??= this.dentries.map(showDentry).join(';');
    return this.#text;
  }

  toString(): string {
    return this.show;
  }

  equals(other: Dtab): boolean {
    return this === other || (this.size === other.size && this.show === other.show);
  }

  /** Appends: the other table's dentries come later and so win. */
  concat(other: Dtab): Dtab {
    if (other.isEmpty) return this;
    return this.isEmpty ? other : new Dtab([...this.dentries, ...other.dentries]);
  }

  /** Without the leading run that equals the whole other table; unchanged when there is no such run. */
  stripPrefix(other: Dtab): Dtab {
    if (other.size > this.size) return this;
    for (let i = 0; i < other.size; i++) {
      const [ours, theirs] = [this.dentries[i], other.dentries[i]];
      if (ours !== theirs && ours && theirs && showDentry(ours) !== showDentry(theirs)) return this;
    }
    return Dtab.of(this.dentries.slice(other.size));
  }

  /** Every destination simplified; dentries that can only answer `~` are dropped. */
  get simplified(): Dtab {
    const simple = this.dentries.map(({ prefix, dst }) => ({ prefix, dst: simplifyTree(dst) }));
    return Dtab.of(simple.filter(({ dst }) => dst.type !== 'neg'));
  }

  /** The dentries whose prefix matches, in the order in which they are tried. */
  matching(path: Path): readonly Dentry[] {
    if (this.dentries.length < INDEX_FROM)
      return this.dentries.filter(({ prefix }) => prefix.matches(path)).reverse();
    this.#index ??= new PrefixIndex(this.dentries.map(({ prefix }) => prefix));
    return this.#index.matching(path).flatMap(position => this.dentries[position] ?? []);
  }

  /** One step: `~` without a match, the tree of the only match, or the alternatives of all of them. */
  lookup(path: Path): NameTree<Path> {
    return alt(this.matching(path).map(dentry => applyDentry(dentry, path)));
  }
}
