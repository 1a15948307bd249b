/** Bound trees in the JSON of Linkerd's namerd. */

import type { BoundTree, Replica } from '#api';
import { type AddrJson, addrOf, type BoundJson } from '../../bind/index.ts';

export type BoundTreeJson =
  | { type: 'neg' | 'fail' | 'empty' }
  | { type: 'leaf'; bound: BoundJson }
  | { type: 'union'; union: { weight: number; tree: BoundTreeJson }[] };

export function boundTreeJson(tree: BoundTree): BoundTreeJson {
  switch (tree.type) {
    case 'leaf':
      return { type: 'leaf', bound: { addr: addrOf(tree.replicas), id: tree.id, path: tree.residual } };
    case 'union':
      return {
        type: 'union',
        union: tree.branches.map(({ weight, tree }) => ({ weight, tree: boundTreeJson(tree) })),
      };
    default:
      return { type: tree.type };
  }
}

/** The addresses of exactly this id; gone when it leads to anything else. */
export function addrOfId(tree: BoundTree): AddrJson {
  if (tree.type === 'empty') return addrOf({ state: 'bound', replicas: [] });
  return tree.type === 'leaf' && isWhole(tree.residual) ? addrOf(tree.replicas) : { type: 'neg' };
}

function isWhole(residual: string): boolean {
  return residual === '/' || residual === '';
}

/**
 * All addresses behind a tree. Those of a union carry their share of the traffic as weight, so that a client
 * that balances by weight splits as the union says, and asking twice gives the same answer. (Linkerd's namerd
 * picks one branch at random.)
 */
export function resolvedAddr(tree: BoundTree): AddrJson {
  if (tree.type === 'leaf') return addrOf(tree.replicas);
  if (tree.type === 'empty') return addrOf({ state: 'bound', replicas: [] });
  if (tree.type !== 'union') return { type: 'neg' };
  const replicas: Replica[] = [];
  const failure = collect(tree, 1, replicas);
  if (replicas.length === 0 && failure !== undefined) return failure;
  return addrOf({ state: 'bound', replicas });
}

/** @returns the first failure met, for when nothing else is found. */
function collect(tree: BoundTree, share: number, into: Replica[]): AddrJson | undefined {
  if (tree.type === 'union') {
    const total = tree.branches.reduce((sum, { weight }) => sum + weight, 0);
    let failure: AddrJson | undefined;
    for (const { weight, tree: branch } of tree.branches) {
      const failed = total > 0 && weight > 0 ? collect(branch, (share * weight) / total, into) : undefined;
      failure ??= failed;
    }
    return failure;
  }
  if (tree.type !== 'leaf') return undefined;
  if (tree.replicas.state !== 'bound') return addrOf(tree.replicas);
  const { replicas } = tree.replicas;
  const total = replicas.reduce((sum, { weight }) => sum + weight, 0);
  for (const replica of replicas) into.push({ ...replica, weight: (share * replica.weight) / total });
  return undefined;
}
