/**
 * Binding a name, once: rewriting by the dtab until namers answer, until only final names are left. Run again
 * by its owner whenever something that it used has changed.
 *
 *   a path         the dtab's tree; only where the dtab says `~`, what the namers say
 *   alternatives   the first that is not `~`; pending and failed ones are waited for and reported, not skipped
 *   a union        the branches that are ok without `~` and `!`; else the first failure; else pending
 *
 * Invariants: the result has no alternatives; depth counts look-ups of paths; the work of one run is bounded,
 * whatever the dtab.
 */

import type { BoundTree, WeightedBranch } from '#api';
import type { Use } from '#base/derived.ts';
import { MeshError } from '#base/errors.ts';
import type { Dtab, NameTree, Path, Weighted } from '#names';
import { type Activity, failed, type NamerTree, ok, PENDING } from '../namers/index.ts';
import type { KnownReplicas } from './known-replicas.ts';
import type { NamerTable } from './namer-table.ts';

/** As Finagle's `namerMaxDepth`. */
export const MAX_DEPTH = 100;
/** A dtab can double a name at every step: this ends it. */
export const MAX_LOOKUPS = 5_000;
/** Trees nest within look-ups; the stack is finite. */
const MAX_NESTING = 1_500;

export class BindError extends MeshError {
  constructor(code: string, message: string) {
    super(code, message, {
      by: 'config',
      next: 'Look for a rule that leads back to itself: namerctl delegate shows every step.',
    });
  }
}

/** A name's current state, final as long as nothing changes. */
export type Binding = Activity<BoundTree>;

export interface EvaluationInput {
  use: Use;
  dtab: Dtab;
  namers: NamerTable;
  known: KnownReplicas;
}

export function evaluateName(input: EvaluationInput, path: Path): Binding {
  const evaluation = new Evaluation(input);
  const binding = evaluation.path(path, 0);
  return evaluation.overflow ?? binding;
}

class Evaluation {
  /**
   * Over a limit of size the whole name fails: a branch that failed for this reason must not just go missing
   * from a union, whose shares would silently be other ones.
   */
  overflow: Binding | undefined;
  readonly #input: EvaluationInput;
  #lookups = 0;
  #nesting = 0;

  constructor(input: EvaluationInput) {
    this.#input = input;
  }

  path(path: Path, depth: number): Binding {
    if (this.overflow !== undefined) return this.overflow;
    this.#lookups += 1;
    if (this.#lookups > MAX_LOOKUPS) return this.#tooBig(`the name takes more than ${MAX_LOOKUPS} look-ups`);
    const { use, dtab, namers } = this.#input;
    const tree = dtab.lookup(path);
    if (tree.type !== 'neg') return this.#tree(tree, depth + 1, this.#pathLeaf);
    const answer = use(`name ${path.show}`, () => namers.lookup(path));
    return answer.state === 'ok' ? this.#tree(answer.value, depth + 1, this.#namerLeaf) : answer;
  }

  readonly #pathLeaf = (path: Path, depth: number): Binding => this.path(path, depth);

  readonly #namerLeaf = (value: LeafOf<NamerTree>, depth: number): Binding => {
    if (value.type === 'path') return this.path(value.path, depth);
    const replicas = this.#input.known.fillIn(this.#input.use, value.replicas);
    return ok({ type: 'leaf', id: value.id.show, residual: value.residual.show, replicas });
  };

  #tree<T>(tree: NameTree<T>, depth: number, leaf: (value: T, depth: number) => Binding): Binding {
    if (depth > MAX_DEPTH)
      return failed(
        new BindError('NM_BIND_DEPTH', `Max recursion level: ${MAX_DEPTH} reached in Namer lookup`),
      );
    if (this.#nesting === MAX_NESTING) return this.#tooBig(`the name nests more than ${MAX_NESTING} trees`);
    this.#nesting += 1;
    try {
      switch (tree.type) {
        case 'leaf':
          return leaf(tree.value, depth);
        case 'alt':
          return this.#alternatives(tree.trees, depth, leaf);
        case 'union':
          return this.#union(tree.branches, depth, leaf);
        default:
          return ok(tree);
      }
    } finally {
      this.#nesting -= 1;
    }
  }

  #tooBig(message: string): Binding {
    this.overflow = failed(new BindError('NM_BIND_SIZE', message));
    return this.overflow;
  }

  #alternatives<T>(
    trees: readonly NameTree<T>[],
    depth: number,
    leaf: (value: T, depth: number) => Binding,
  ): Binding {
    for (const tree of trees) {
      const binding = this.#tree(tree, depth, leaf);
      if (binding.state !== 'ok' || binding.value.type !== 'neg') return binding;
    }
    return ok({ type: 'neg' });
  }

  #union<T>(
    branches: readonly Weighted<T>[],
    depth: number,
    leaf: (value: T, depth: number) => Binding,
  ): Binding {
    const kept: WeightedBranch[] = [];
    let anyOk = false;
    let failure: Binding | undefined;
    for (const { weight, tree } of branches) {
      const binding = this.#tree(tree, depth, leaf);
      if (binding.state === 'failed') failure ??= binding;
      if (binding.state !== 'ok') continue;
      anyOk = true;
      if (binding.value.type !== 'neg' && binding.value.type !== 'fail')
        kept.push({ weight, tree: binding.value });
    }
    if (!anyOk) return failure ?? PENDING;
    const [only] = kept;
    if (only === undefined) return ok({ type: 'neg' });
    return ok(kept.length === 1 ? only.tree : { type: 'union', branches: kept });
  }
}

type LeafOf<T> = T extends { type: 'leaf'; value: infer V } ? V : never;
