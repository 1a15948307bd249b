/**
 * A name as bound for requests: branches with weights, each a service, or the reason for which its share of the
 * requests fails. Immutable; the services behind it are not.
 */

import { WeightedShares } from '../choice/weighted-shares.ts';
import type { NoEndpoint } from '../picker.ts';
import type { ServiceClient } from './service-client.ts';

export type RequestBranch =
  /** `residual`: what of the name the service does not stand for, as a path; '' if nothing. */
  | { weight: number; client: ServiceClient; residual: string }
  /** `message` is what namerd said, or ''. */
  | { weight: number; none: NoEndpoint; message: string };

export class NameClient {
  readonly branches: readonly RequestBranch[];
  readonly #shares: WeightedShares;

  /** @param branches at least one. */
  constructor(branches: readonly RequestBranch[], random?: () => number) {
    this.branches = branches;
    this.#shares = new WeightedShares(
      branches.map(({ weight }) => weight),
      branches.map(branch => ('client' in branch ? branch.client.id : `(${branch.none})`)),
      random,
    );
  }

  /** The branch of a number; retries of a request stay in its branch. @param u 0 ≤ u < 1 */
  pick(u: number): RequestBranch {
    return this.branches[this.#shares.pick(u)] ?? UNBOUND;
  }

  /** The next branch in an even order of this name's own: over many requests, the exact shares. */
  next(): RequestBranch {
    return this.branches[this.#shares.next()] ?? UNBOUND;
  }

  /** Keeps a hash with its branch while weights move, see WeightedShares. @param hash uint32 */
  pickByHash(hash: number): RequestBranch {
    return this.branches[this.#shares.byHash(hash)] ?? UNBOUND;
  }
}

/** No branch has a weight. */
const UNBOUND: RequestBranch = { weight: 1, none: 'unbound', message: '' };
