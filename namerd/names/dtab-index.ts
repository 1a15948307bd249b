/**
 * Which dentries match a path, without trying every one: a tree of prefixes that is walked along the path.
 * Cost: the prefixes that match so far, not the size of the table.
 */

import type { Path } from './path.ts';
import { ANY, type Prefix } from './prefix.ts';

interface Node {
  /** Positions of the prefixes that end here, ascending. */
  readonly ends: number[];
  readonly labels: Map<string, Node>;
  any: Node | undefined;
}

export class PrefixIndex {
  readonly #root = node();

  constructor(prefixes: readonly Prefix[]) {
    prefixes.forEach(({ elems }, position) => {
      let at = this.#root;
      for (const elem of elems) at = elem === ANY ? (at.any ??= node()) : child(at, elem);
      at.ends.push(position);
    });
  }

  /** The positions of all matching prefixes, the last first. */
  matching(path: Path): number[] {
    const found: number[] = [...this.#root.ends];
    let reached: Node[] = [this.#root];
    for (const elem of path.elems) {
      const next: Node[] = [];
      for (const at of reached) {
        const exact = at.labels.get(elem);
        if (exact !== undefined) next.push(exact);
        if (at.any !== undefined) next.push(at.any);
      }
      if (next.length === 0) break;
      for (const { ends } of next) for (const position of ends) found.push(position);
      reached = next;
    }
    return found.sort((a, b) => b - a);
  }
}

function node(): Node {
  return { ends: [], labels: new Map(), any: undefined };
}

function child(parent: Node, label: string): Node {
  let found = parent.labels.get(label);
  if (found === undefined) {
    found = node();
    parent.labels.set(label, found);
  }
  return found;
}
