/** What the mesh API serves, gathered from bindings, registry, policies and authority. */

import { Derived } from '#base/derived.ts';
import type { Watchable } from '#base/watch.ts';
import type { Dtab } from '#names';
import { type AddressBinder, type Interpreter, nameStateOf, parseWatchedName } from '../bind/index.ts';
import type { Authority } from '../ca/index.ts';
import type { NodeStates } from '../policies/index.ts';
import type { Registry } from '../registry/index.ts';
import type { MeshSource } from './mesh/index.ts';

export interface MeshSourceParts {
  addresses: AddressBinder;
  interpreter: Interpreter;
  /** The dtab by which names of the mesh are bound. */
  dtab: Watchable<Dtab>;
  nodes: NodeStates;
  registry: Registry;
  authority: Authority;
}

export function meshSource({
  addresses,
  interpreter,
  dtab,
  nodes,
  registry,
  authority,
}: MeshSourceParts): MeshSource {
  return {
    watchAddress: key => addresses.bind(key),
    watchName(key) {
      const { path, local } = parseWatchedName(key);
      const binding = () =>
        local === undefined ? interpreter.bind(dtab, path) : interpreter.bindWith(dtab, local, path);
      return new Derived(use => nameStateOf(use('binding', binding)));
    },
    watchNode: node => nodes.watch(node),
    trust: authority.trust,
    report: (node, workloads) => registry.setReported(node, workloads),
  };
}
