/**
 * Explaining a name: as binding, but every alternative is followed, and every rule that was used is shown. It
 * asks the same dtab and the same namers as binding does, so that it can't disagree with what happens.
 */

import { Derived, type Use } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import type { Dentry, Dtab, NameTree, Path } from '#names';
import { type Activity, type BoundName, type OtherName, ok, PENDING } from '../namers/index.ts';
import { addrOf, type DelegateTree, type DentryJson, dentryJson, simplifyDelegate } from './delegate-tree.ts';
import { isTooLong, MAX_DEPTH, TOO_LONG } from './evaluation.ts';
import type { KnownReplicas } from './known-replicas.ts';
import type { NamerTable } from './namer-table.ts';

/** More than anybody reads. */
const MAX_NODES = 2_000;
/** Of all names, rules and addresses: each step repeats its rule, and each leaf its addresses. */
const MAX_CHARACTERS = 4_000_000;
/** About what one address takes. */
const ADDRESS_CHARACTERS = 200;
/** Of a name that is too long to be shown. */
const SHOWN_CHARACTERS = 200;
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
  readonly #dentries = new Map<Dentry, DentryJson>();
  #nodes = 0;
  #characters = 0;
  #nesting = 0;
  /** It has been said that the rest is left out. */
  #leftOut = false;

  constructor(use: Use, dtab: Dtab, namers: NamerTable, known: KnownReplicas) {
    this.#use = use;
    this.#dtab = dtab;
    this.#namers = namers;
    this.#known = known;
  }

  path(path: Path, dentry: Dentry | undefined, depth: number): DelegateTree {
    if (isTooLong(path)) return this.#tooLong(path);
    if (this.#isFull()) return this.#rest(path);
    const place = this.#place(path, dentry);
    if (depth > MAX_DEPTH) return { type: 'exception', ...place, message: 'Max recursion level reached.' };
    const rules = this.#dtab.matching(path);
    // A rule whose only answer is `~` leaves the path to the namers, as in binding.
    const [first, ...more] = rules;
    if (first === undefined) return this.#namer(path, dentry, depth);
    const follow = (rule: Dentry) => {
      const rest = path.drop(rule.prefix.size);
      return this.#tree(rule.dst, path, rule, depth, (to, depth) =>
        this.path(to.concat(rest), rule, depth + 1),
      );
    };
    if (more.length > 0) return { type: 'alt', ...place, alt: this.#all(rules, follow) };
    if (first.dst.type !== 'neg') return { type: 'delegate', ...place, delegate: follow(first) };
    const answer = this.#namer(path, first, depth);
    return answer.type === 'neg' ? { type: 'delegate', ...place, delegate: answer } : answer;
  }

  /** Follows one after the other, until it has been said that the rest is left out. */
  #all<T, R>(items: readonly T[], follow: (item: T) => R): R[] {
    const followed: R[] = [];
    for (const item of items) {
      if (this.#leftOut) break;
      followed.push(follow(item));
    }
    return followed;
  }

  /** What a node says of itself, which counts. */
  #place(path: Path, dentry: Dentry | undefined): { path: string; dentry?: DentryJson } {
    this.#nodes += 1;
    this.#characters += path.show.length;
    if (dentry === undefined) return { path: path.show };
    let json = this.#dentries.get(dentry);
    if (json === undefined) {
      json = dentryJson(dentry);
      this.#dentries.set(dentry, json);
    }
    this.#characters += json.prefix.length + json.dst.length;
    return { path: path.show, dentry: json };
  }

  #isFull(): boolean {
    return this.#nodes >= MAX_NODES || this.#characters >= MAX_CHARACTERS;
  }

  #rest(path: Path): DelegateTree {
    this.#leftOut = true;
    const message = `more than ${MAX_NODES} steps or ${MAX_CHARACTERS} characters: the rest is left out`;
    return { type: 'exception', path: path.show, message };
  }

  #tooLong(path: Path): DelegateTree {
    const [elem = ''] = path.elems;
    this.#nodes += 1;
    return {
      type: 'exception',
      path: path.take(elem.length > SHOWN_CHARACTERS ? 0 : 1).show,
      message: TOO_LONG,
    };
  }

  #namer(path: Path, dentry: Dentry | undefined, depth: number): DelegateTree {
    const answer = this.#use(`name ${path.show}`, () => this.#namers.lookup(path));
    if (answer.state === 'failed')
      return { type: 'exception', ...this.#place(path, dentry), message: answer.error.message };
    if (answer.state === 'pending') {
      this.pending = true;
      return { type: 'neg', ...this.#place(path, dentry) };
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
    const place = this.#place(path, dentry);
    if (leaf.type === 'path')
      return { type: 'delegate', ...place, delegate: this.path(leaf.path, undefined, depth + 1) };
    const replicas = this.#known.fillIn(this.#use, leaf.replicas);
    if (replicas.state === 'bound') this.#characters += replicas.replicas.length * ADDRESS_CHARACTERS;
    const addr = addrOf(replicas);
    return { type: 'leaf', ...place, bound: { addr, id: leaf.id.show, path: leaf.residual.show } };
  }

  #tree<T>(
    tree: NameTree<T>,
    path: Path,
    dentry: Dentry | undefined,
    depth: number,
    leaf: Leaf<T>,
  ): DelegateTree {
    if (tree.type === 'leaf') return leaf(tree.value, depth);
    if (this.#isFull()) return this.#rest(path);
    const place = this.#place(path, dentry);
    if (this.#nesting === MAX_NESTING)
      return { type: 'exception', ...place, message: `more than ${MAX_NESTING} trees within one another` };
    this.#nesting += 1;
    try {
      const follow = (each: NameTree<T>) => this.#tree(each, path, dentry, depth, leaf);
      switch (tree.type) {
        case 'alt':
          return { type: 'alt', ...place, alt: this.#all(tree.trees, follow) };
        case 'union':
          return {
            type: 'union',
            ...place,
            union: this.#all(tree.branches, ({ weight, tree }) => ({ weight, tree: follow(tree) })),
          };
        default:
          return { type: tree.type, ...place };
      }
    } finally {
      this.#nesting -= 1;
    }
  }
}
