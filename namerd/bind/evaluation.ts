/**
 * Binding a name, once: rewriting by the dtab until namers answer, until only final names are left. Run again
 * by its owner whenever something that it used has changed.
 *
 *   a path         the dtab's tree; only where the dtab says `~`, what the namers say
 *   alternatives   the first that is not `~`; pending and failed ones are waited for and reported, not skipped
 *   a union        the branches that are ok without `~` and `!`; else the first failure; else pending
 *
 * A request may bring rules of its own, which win. They choose among what the mesh has and no more: how many of a
 * path's first elements the mesh's rules wrote ("vouched") goes along with the path, and whatever turns a name into
 * any host one likes answers only to those.
 *
 * Invariants: the result has no alternatives; depth counts look-ups of paths; the work of one run is bounded,
 * whatever the dtab.
 */

import type { BoundTree, WeightedBranch } from '#api';
import type { Use } from '#base/derived.ts';
import { MeshError } from '#base/errors.ts';
import type { Dentry, Dtab, NameTree, Path, Weighted } from '#names';
import { type Activity, failed, type NamerTree, ok, PENDING } from '../namers/index.ts';
import type { KnownReplicas } from './known-replicas.ts';
import type { NamerTable } from './namer-table.ts';

/** As Finagle's `namerMaxDepth`. */
export const MAX_DEPTH = 100;
/** A dtab can double a name at every step: this ends it. */
export const MAX_LOOKUPS = 5_000;
/** With rules of a request, which need not be meant well. */
export const MAX_LOCAL_LOOKUPS = 250;
/** Trees nest within look-ups; the stack is finite. */
const MAX_NESTING = 1_500;
/** Trees and their parts that are walked through; a dtab may hold a hundred thousand of them in one rule. */
const MAX_VISITS = 200_000;
/** Over all leaves: a union may name the same large service a thousand times. */
const MAX_REPLICAS = 100_000;
/** Names grow with every step of a rule that leads back to itself. */
const MAX_ELEMENTS = 1_000;
const MAX_NAME_BYTES = 64 * 1024;

/** Longer than any name that is meant. */
export function isTooLong({ elems }: Path): boolean {
  if (elems.length > MAX_ELEMENTS) return true;
  let bytes = 0;
  for (const { length } of elems) bytes += length;
  return bytes > MAX_NAME_BYTES;
}

export const TOO_LONG = `a name of more than ${MAX_ELEMENTS} elements or ${MAX_NAME_BYTES} bytes`;

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
  /** Rules of a single request. */
  local?: Dtab;
  namers: NamerTable;
  known: KnownReplicas;
}

export function evaluateName(input: EvaluationInput, path: Path): Binding {
  const evaluation = new Evaluation(input);
  const binding = evaluation.path(path, 0, WHOLLY);
  return evaluation.overflow ?? binding;
}

/** Every element of the path is the mesh's own. */
const WHOLLY = Number.POSITIVE_INFINITY;
const NO_RULES: readonly Dentry[] = [];

class Evaluation {
  /**
   * Over a limit of size the whole name fails: a branch that failed for this reason must not just go missing
   * from a union, whose shares would silently be other ones.
   */
  overflow: Binding | undefined;
  readonly #input: EvaluationInput;
  #lookups = 0;
  #nesting = 0;
  #visits = 0;
  #replicas = 0;

  constructor(input: EvaluationInput) {
    this.#input = input;
  }

  /** @param vouched how many of the path's first elements the mesh's own rules wrote */
  path(path: Path, depth: number, vouched: number): Binding {
    if (this.overflow !== undefined) return this.overflow;
    this.#lookups += 1;
    const { use, dtab, local, namers } = this.#input;
    const most = local === undefined ? MAX_LOOKUPS : MAX_LOCAL_LOOKUPS;
    if (this.#lookups > most) return this.#tooBig(`the name takes more than ${most} look-ups`);
    if (isTooLong(path)) return this.#tooBig(TOO_LONG);
    const brought = local?.matching(path) ?? NO_RULES;
    const own = dtab.matching(path);
    const first = brought[0] ?? own[0];
    // A rule whose only answer is `~` leaves the path to the namers.
    if (first !== undefined && (brought.length + own.length > 1 || first.dst.type !== 'neg')) {
      const answer = this.#firstAnswer(brought, rule => this.#rule(rule, path, depth + 1, undefined));
      if (answer.state !== 'ok' || answer.value.type !== 'neg') return answer;
      return this.#firstAnswer(own, rule => this.#rule(rule, path, depth + 1, vouched));
    }
    const shown = path.show;
    const key = vouched === WHOLLY ? `name ${shown}` : `name ${shown} ${vouched}`;
    const answer = use(key, () => namers.lookup(path, vouched));
    // What a namer makes of a name is as good as the name.
    const kept = vouched >= path.size ? WHOLLY : 0;
    return answer.state === 'ok'
      ? this.#tree(answer.value, depth + 1, (leaf, depth) => this.#namerLeaf(leaf, depth, kept))
      : answer;
  }

  /**
   * The rest of the path goes behind each leaf when its turn comes: of a large tree few are looked at.
   * @param vouched of the path; undefined for a rule that the request has brought
   */
  #rule({ prefix, dst }: Dentry, path: Path, depth: number, vouched: number | undefined): Binding {
    const rest = path.drop(prefix.size);
    const vouchedRest = Math.max(0, (vouched ?? 0) - prefix.size);
    return this.#tree(dst, depth, (to, depth) =>
      this.path(to.concat(rest), depth, vouched === undefined ? 0 : to.size + vouchedRest),
    );
  }

  #namerLeaf(value: LeafOf<NamerTree>, depth: number, vouched: number): Binding {
    if (value.type === 'path') return this.path(value.path, depth, vouched);
    if (value.replicas.state === 'bound') this.#replicas += value.replicas.replicas.length;
    if (this.#replicas > MAX_REPLICAS)
      return this.#tooBig(`the name leads to more than ${MAX_REPLICAS} replicas`);
    const replicas = this.#input.known.fillIn(this.#input.use, value.replicas);
    const { id, residual, client } = value;
    const leaf = { type: 'leaf', id: id.show, residual: residual.show, replicas } as const;
    return ok(client === undefined ? leaf : { ...leaf, client });
  }

  #tree<T>(tree: NameTree<T>, depth: number, leaf: (value: T, depth: number) => Binding): Binding {
    if (depth > MAX_DEPTH)
      return failed(
        new BindError('NM_BIND_DEPTH', `Max recursion level: ${MAX_DEPTH} reached in Namer lookup`),
      );
    if (this.#nesting === MAX_NESTING) return this.#tooBig(`the name nests more than ${MAX_NESTING} trees`);
    this.#visits += 1;
    if (this.#visits > MAX_VISITS) return this.#tooBig(`the name takes more than ${MAX_VISITS} trees`);
    this.#nesting += 1;
    try {
      switch (tree.type) {
        case 'leaf':
          return leaf(tree.value, depth);
        case 'alt':
          return this.#firstAnswer(tree.trees, each => this.#tree(each, depth, leaf));
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

  #firstAnswer<T>(alternatives: readonly T[], bind: (each: T) => Binding): Binding {
    for (const each of alternatives) {
      const binding = bind(each);
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
      if (this.overflow !== undefined) return this.overflow;
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
