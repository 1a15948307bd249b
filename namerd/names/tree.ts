/**
 * Trees of alternatives and weighted unions over anything, with the three constants:
 *
 *             alone            in an alternative     in a union
 *   neg  `~`  no answer        the next one          the branch goes away
 *   fail `!`  no answer        stops: the whole fails  the branch goes away
 *   empty `$` bound to nobody  taken                 keeps its share
 */

export interface Weighted<T> {
  /** Relative share, ≥ 0 and finite; shares need not add up to 1. */
  weight: number;
  tree: NameTree<T>;
}

export type NameTree<T> =
  | { readonly type: 'leaf'; readonly value: T }
  | { readonly type: 'alt'; readonly trees: readonly NameTree<T>[] }
  | { readonly type: 'union'; readonly branches: readonly Weighted<T>[] }
  | { readonly type: 'neg' }
  | { readonly type: 'fail' }
  | { readonly type: 'empty' };

export const NEG: NameTree<never> = Object.freeze({ type: 'neg' });
export const FAIL: NameTree<never> = Object.freeze({ type: 'fail' });
export const EMPTY: NameTree<never> = Object.freeze({ type: 'empty' });

export function leaf<T>(value: T): NameTree<T> {
  return { type: 'leaf', value };
}

/** The alternatives in the order in which they are tried; none is `~`, one is itself. */
export function alt<T>(trees: readonly NameTree<T>[]): NameTree<T> {
  return trees.length > 1 ? { type: 'alt', trees } : (trees[0] ?? NEG);
}

/** The union of the branches; none is `~`, one is its tree (there is nothing to share). */
export function union<T>(branches: readonly Weighted<T>[]): NameTree<T> {
  return branches.length > 1 ? { type: 'union', branches } : (branches[0]?.tree ?? NEG);
}

export function mapTree<T, U>(tree: NameTree<T>, change: (value: T) => U): NameTree<U> {
  switch (tree.type) {
    case 'leaf':
      return leaf(change(tree.value));
    case 'alt':
      return { type: 'alt', trees: tree.trees.map(each => mapTree(each, change)) };
    case 'union':
      return {
        type: 'union',
        branches: tree.branches.map(({ weight, tree }) => ({ weight, tree: mapTree(tree, change) })),
      };
    default:
      return tree;
  }
}

/** A smaller tree with the same meaning: see the table above. Nested alternatives are not flattened. */
export function simplifyTree<T>(tree: NameTree<T>): NameTree<T> {
  if (tree.type === 'alt') {
    const kept: NameTree<T>[] = [];
    for (const each of tree.trees) {
      const simple = simplifyTree(each);
      if (simple.type !== 'neg') kept.push(simple);
      if (simple.type === 'fail') break;
    }
    return alt(kept);
  }
  if (tree.type === 'union') {
    const kept: Weighted<T>[] = [];
    for (const { weight, tree: each } of tree.branches) {
      const simple = simplifyTree(each);
      if (simple.type !== 'neg' && simple.type !== 'fail') kept.push({ weight, tree: simple });
    }
    return union(kept);
  }
  return tree;
}

/**
 * What a tree of final values stands for: the values of the first alternative that answers, or undefined
 * when none does. `$` answers with no values.
 * @param key values with the same key are one (default: the value itself).
 */
export function evalTree<T>(tree: NameTree<T>, key: (value: T) => unknown = same): readonly T[] | undefined {
  const answer = evaluate(tree, key);
  return answer === 'neg' || answer === 'fail' ? undefined : [...answer.values()];
}

type Answer<T> = Map<unknown, T> | 'neg' | 'fail';

function evaluate<T>(tree: NameTree<T>, key: (value: T) => unknown): Answer<T> {
  switch (tree.type) {
    case 'leaf':
      return new Map([[key(tree.value), tree.value]]);
    case 'empty':
      return new Map();
    case 'alt':
      for (const each of tree.trees) {
        const answer = evaluate(each, key);
        if (answer !== 'neg') return answer;
      }
      return 'neg';
    case 'union': {
      let all: Map<unknown, T> | undefined;
      for (const { tree: each } of tree.branches) {
        const answer = evaluate(each, key);
        if (answer === 'neg' || answer === 'fail') continue;
        all ??= new Map();
        for (const [k, value] of answer) if (!all.has(k)) all.set(k, value);
      }
      return all ?? 'neg';
    }
    default:
      return tree.type;
  }
}

function same(value: unknown): unknown {
  return value;
}
