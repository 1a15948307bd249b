/** Bindings as short texts for assertions: ids with their addresses, unions with their weights. */

import type { BoundTree } from '#api';
import type { Binding } from '../../../namerd/bind/index.ts';

export function showBinding(binding: Binding): string {
  if (binding.state === 'ok') return showBoundTree(binding.value);
  return binding.state === 'failed' ? `failed: ${binding.error.message}` : 'pending';
}

export function showBoundTree(tree: BoundTree): string {
  if (tree.type === 'union')
    return tree.branches
      .map(({ weight, tree }) => {
        const text = tree.type === 'union' ? `(${showBoundTree(tree)})` : showBoundTree(tree);
        return weight === 1 ? text : `${weight}*${text}`;
      })
      .join(' & ');
  if (tree.type !== 'leaf') return tree.type;
  const { id, residual, replicas } = tree;
  const set =
    replicas.state === 'bound' ? replicas.replicas.map(({ address }) => address).join(',') : replicas.state;
  return `${id}${residual === '/' ? '' : `+${residual}`}[${set}]`;
}
