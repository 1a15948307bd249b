/**
 * Explaining a name: as binding, but every alternative is followed, and every rule that was used is shown. It
 * asks the same dtab and the same namers as binding does, so that it can't disagree with what happens.
 */

import { Derived, type Use } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import { applyDentry, type Dentry, type Dtab, type NameTree, type Path } from '#names';
import { type Activity, type BoundName, type OtherName, ok, PENDING } from '../namers/index.ts';
import { addrOf, type DelegateTree, placeOf, simplifyDelegate } from './delegate-tree.ts';
import { MAX_DEPTH } from './evaluation.ts';
import type { KnownReplicas } from './known-replicas.ts';
import type { NamerTable } from './namer-table.ts';

/** More than anybody reads. */
const MAX_NODES = 2_000;
const MAX_NESTING = 1_000;

export interface DelegatorOptions {
  namers: NamerTable;
  known: KnownReplicas;
}

/** Nothing is done until it is observed; pending as long as any namer on the way is. */
export function watchDelegation(
  { namers, known }: DelegatorOptions,
  dtab: Watchable<Dtab>,
  path: Path,
): Watchable<Activity<DelegateTree>> {
  return new Derived(use => {
    const delegation = new Delegation(
      use,
      use('dtab', () => dtab),
      namers,
      known,
    );
    const tree = delegation.path(path, undefined, 0);
    return delegation.pending ? PENDING : ok(simplifyDelegate(tree));
  });
}

type Leaf<T> = (value: T, depth: number) => DelegateTree;

class Delegation {
  /** Something has no answer yet. */
  pending = false;
  readonly #use: Use;
  readonly #dtab: Dtab;
  readonly #namers: NamerTable;
  readonly #known: KnownReplicas;
  #nodes = 0;
  #nesting = 0;

  constructor(use: Use, dtab: Dtab, namers: NamerTable, known: KnownReplicas) {
    this.#use = use;
    this.#dtab = dtab;
    this.#namers = namers;
    this.#known = known;
  }

  path(path: Path, dentry: Dentry | undefined, depth: number): DelegateTree {
    const place = placeOf(path, dentry);
    if (depth > MAX_DEPTH) return { type: 'exception', ...place, message: 'Max recursion level reached.' };
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES)
      return { type: 'exception', ...place, message: `more than ${MAX_NODES} steps: the rest is left out` };
    const steps = this.#dtab.matching(path).map(used => ({ used, tree: applyDentry(used, path) }));
    // A rule whose only answer is `~` leaves the path to the namers, as in binding.
    const [first, ...more] = steps;
    if (first === undefined) return this.#namer(path, dentry, depth);
    const follow = ({ used, tree }: { used: Dentry; tree: NameTree<Path> }) =>
      this.#tree(tree, path, used, depth, (next, depth) => this.path(next, used, depth + 1));
    if (more.length > 0) return { type: 'alt', ...place, alt: steps.map(follow) };
    if (first.tree.type !== 'neg') return { type: 'delegate', ...place, delegate: follow(first) };
    const answer = this.#namer(path, first.used, depth);
    return answer.type === 'neg' ? { type: 'delegate', ...place, delegate: answer } : answer;
  }

  #namer(path: Path, dentry: Dentry | undefined, depth: number): DelegateTree {
    const answer = this.#use(`name ${path.show}`, () => this.#namers.lookup(path));
    const place = placeOf(path, dentry);
    if (answer.state === 'failed') return { type: 'exception', ...place, message: answer.error.message };
    if (answer.state === 'pending') {
      this.pending = true;
      return { type: 'neg', ...place };
    }
    return this.#tree(answer.value, path, dentry, depth, (leaf, depth) =>
      this.#namerLeaf(leaf, path, dentry, depth),
    );
  }

  #namerLeaf(
    leaf: BoundName | OtherName,
    path: Path,
    dentry: Dentry | undefined,
    depth: number,
  ): DelegateTree {
    const place = placeOf(path, dentry);
    if (leaf.type === 'path')
      return { type: 'delegate', ...place, delegate: this.path(leaf.path, undefined, depth + 1) };
    const addr = addrOf(this.#known.fillIn(this.#use, leaf.replicas));
    return { type: 'leaf', ...place, bound: { addr, id: leaf.id.show, path: leaf.residual.show } };
  }

  #tree<T>(
    tree: NameTree<T>,
    path: Path,
    dentry: Dentry | undefined,
    depth: number,
    leaf: Leaf<T>,
  ): DelegateTree {
    const place = placeOf(path, dentry);
    if (this.#nesting === MAX_NESTING)
      return { type: 'exception', ...place, message: `more than ${MAX_NESTING} trees within one another` };
    this.#nesting += 1;
    try {
      const follow = (each: NameTree<T>) => this.#tree(each, path, dentry, depth, leaf);
      switch (tree.type) {
        case 'leaf':
          return leaf(tree.value, depth);
        case 'alt':
          return { type: 'alt', ...place, alt: tree.trees.map(follow) };
        case 'union':
          return {
            type: 'union',
            ...place,
            union: tree.branches.map(({ weight, tree }) => ({ weight, tree: follow(tree) })),
          };
        default:
          return { type: tree.type, ...place };
      }
    } finally {
      this.#nesting -= 1;
    }
  }
}
