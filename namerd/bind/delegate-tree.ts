/** The explanation of a name in the JSON of Linkerd's namerd: every step, every alternative, the rule that led there. */

import type { Replica, ReplicaSet } from '#api';
import { parseEndpoint } from '#base/net.ts';
import { type Dentry, showTree } from '#names';

export interface DentryJson {
  prefix: string;
  dst: string;
}

interface Place {
  path: string;
  /** The rule that led here; absent at the root and where a namer led here. */
  dentry?: DentryJson;
}

export type DelegateTree = Place &
  (
    | { type: 'neg' | 'fail' | 'empty' }
    | { type: 'exception'; message: string }
    | { type: 'delegate'; delegate: DelegateTree }
    | { type: 'leaf'; bound: BoundJson }
    | { type: 'alt'; alt: DelegateTree[] }
    | { type: 'union'; union: { weight: number; tree: DelegateTree }[] }
  );

export interface BoundJson {
  addr: AddrJson;
  id: string;
  /** What is left of the path behind the id. */
  path: string;
}

export type AddrJson =
  | { type: 'bound'; addrs: { ip: string; port: number; meta: Record<string, unknown> }[]; meta: object }
  | { type: 'neg' }
  | { type: 'failed'; cause: string };

export function dentryJson({ prefix, dst }: Dentry): DentryJson {
  return { prefix: prefix.show, dst: showTree(dst) };
}

export function addrOf(set: ReplicaSet): AddrJson {
  if (set.state === 'neg') return { type: 'neg' };
  if (set.state === 'failed') return { type: 'failed', cause: set.message };
  return { type: 'bound', addrs: set.replicas.map(addressOf), meta: {} };
}

function addressOf(replica: Replica): { ip: string; port: number; meta: Record<string, unknown> } {
  const { ip, port } = parseEndpoint(replica.address) ?? { ip: replica.address, port: 0 };
  const { workload, node, identity, hbone, zone, weight, terminating } = replica;
  const meta: Record<string, unknown> = {};
  // The one name that Linkerd has for it.
  if (node !== '') meta['nodeName'] = node;
  if (workload !== '') meta['workload'] = workload;
  if (identity !== '') meta['identity'] = identity;
  if (zone !== '') meta['zone'] = zone;
  if (weight !== 1) meta['endpoint_addr_weight'] = weight;
  if (hbone) meta['hbone'] = true;
  if (terminating) meta['terminating'] = true;
  return { ip, port, meta };
}

/**
 * A shorter tree with the same meaning: a step that stays on its path is no step, alternatives of alternatives
 * of one path are one list, a list of one is a step.
 */
export function simplifyDelegate(tree: DelegateTree): DelegateTree {
  switch (tree.type) {
    case 'delegate': {
      const delegate = simplifyDelegate(tree.delegate);
      const stays = delegate.path === tree.path && !CONSTANTS.has(delegate.type);
      return stays ? withPlace(delegate, tree) : { ...tree, delegate };
    }
    case 'alt': {
      const [only, ...more] = tree.alt;
      if (only === undefined) return { ...place(tree), type: 'neg' };
      if (more.length === 0) return simplifyDelegate({ ...place(tree), type: 'delegate', delegate: only });
      const alt = tree.alt.flatMap(each => {
        const simple = simplifyDelegate(each);
        return simple.type === 'alt' && simple.path === tree.path ? simple.alt : [simple];
      });
      return { ...tree, alt };
    }
    case 'union': {
      const [only, ...more] = tree.union;
      if (only === undefined) return { ...place(tree), type: 'neg' };
      if (more.length === 0)
        return simplifyDelegate({ ...place(tree), type: 'delegate', delegate: only.tree });
      const union = tree.union.map(({ weight, tree }) => ({ weight, tree: simplifyDelegate(tree) }));
      return { ...tree, union };
    }
    default:
      return tree;
  }
}

/** A constant at the same path is the answer itself, which a step must not swallow. */
const CONSTANTS: ReadonlySet<string> = new Set(['neg', 'fail', 'empty']);

function place({ path, dentry }: Place): Place {
  return dentry === undefined ? { path } : { path, dentry };
}

function withPlace(tree: DelegateTree, { path, dentry }: Place): DelegateTree {
  const { dentry: _, ...rest } = tree;
  return { ...rest, path, ...(dentry === undefined ? {} : { dentry }) } as DelegateTree;
}
