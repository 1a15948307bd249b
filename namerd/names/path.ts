/** A name: an immutable sequence of elements, compared byte by byte. */

import { InvariantError } from '#base/errors.ts';
import { labelOf, showLabel } from './label.ts';

export class Path {
  /** The elements as latin1 byte strings; none is empty. */
  readonly elems: readonly string[];
  #text: string | undefined;

  /** @param elems latin1 byte strings, none empty; use {@link Path.of} for text. */
  constructor(elems: readonly string[]) {
    this.elems = elems;
  }

  static readonly empty = new Path([]);

  /** A path of texts, each taken as UTF-8. An empty text is a programming error: no name can hold it. */
  static of(...texts: string[]): Path {
    if (texts.includes('')) throw new InvariantError('a path element is never empty');
    return texts.length === 0 ? Path.empty : new Path(texts.map(labelOf));
  }

  get size(): number {
    return this.elems.length;
  }

  get isEmpty(): boolean {
    return this.elems.length === 0;
  }

  /** The canonical text: `parsePath(path.show)` equals the path. */
  get show(): string {
    this.#text ??= `/${this.elems.map(showLabel).join('/')}`;
    return this.#text;
  }

  toString(): string {
    return this.show;
  }

  toJSON(): string {
    return this.show;
  }

  equals(other: Path): boolean {
    return this === other || (this.size === other.size && this.startsWith(other));
  }

  startsWith(prefix: Path): boolean {
    if (prefix.size > this.size) return false;
    for (let i = 0; i < prefix.size; i++) if (this.elems[i] !== prefix.elems[i]) return false;
    return true;
  }

  concat(other: Path): Path {
    if (other.isEmpty) return this;
    return this.isEmpty ? other : new Path([...this.elems, ...other.elems]);
  }

  /** The first `count` elements, or all of them. */
  take(count: number): Path {
    return count >= this.size ? this : new Path(this.elems.slice(0, Math.max(count, 0)));
  }

  /** All but the first `count` elements. */
  drop(count: number): Path {
    if (count <= 0) return this;
    return count >= this.size ? Path.empty : new Path(this.elems.slice(count));
  }
}
