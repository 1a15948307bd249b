/** The left side of a dentry: labels, and `*` where any one element will do. */

import { labelOf, showLabel } from './label.ts';
import type { Path } from './path.ts';

/** Matches exactly one element, whatever it is. (An element that is a literal star is the string `*`.) */
export const ANY = null;
export type PrefixElem = string | typeof ANY;

export class Prefix {
  /** Labels as latin1 byte strings, or {@link ANY}. */
  readonly elems: readonly PrefixElem[];
  #text: string | undefined;

  constructor(elems: readonly PrefixElem[]) {
    this.elems = elems;
  }

  static readonly empty = new Prefix([]);

  /** A prefix of texts, each taken as UTF-8, or {@link ANY}. */
  static of(...elems: PrefixElem[]): Prefix {
    return new Prefix(elems.map(elem => (elem === ANY ? ANY : labelOf(elem))));
  }

  get size(): number {
    return this.elems.length;
  }

  get show(): string {
    this.#text ??= `/${this.elems.map(elem => (elem === ANY ? '*' : showLabel(elem))).join('/')}`;
    return this.#text;
  }

  toString(): string {
    return this.show;
  }

  /** True when every element of the prefix matches the path's element at the same place. */
  matches(path: Path): boolean {
    if (this.elems.length > path.elems.length) return false;
    for (let i = 0; i < this.elems.length; i++) {
      const elem = this.elems[i];
      if (elem !== ANY && elem !== path.elems[i]) return false;
    }
    return true;
  }
}
