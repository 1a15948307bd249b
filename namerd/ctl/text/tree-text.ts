/** Delegation and bound trees, as namerd's API gives them, for people: one step a line, indented by depth. */

import { formatEndpoint } from '#base/net.ts';
import type { DentryJson } from './dtab-text.ts';

export interface AddressJson {
  ip: string;
  port: number;
  meta: Readonly<Record<string, unknown>>;
}

export type AddrJson =
  | { type: 'bound'; addrs: AddressJson[] }
  | { type: 'neg' | 'pending' }
  | { type: 'failed'; cause?: string };

export interface BoundJson {
  addr: AddrJson;
  id: string;
  path: string;
}

/** A node of either tree; a bound tree has no paths and dentries of its own. */
export interface TreeJson {
  type: string;
  path?: string;
  dentry?: DentryJson;
  delegate?: TreeJson;
  alt?: TreeJson[];
  union?: { weight: number; tree: TreeJson }[];
  bound?: BoundJson;
  message?: string;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  neg: '~ no answer',
  fail: '! refused: nothing further is tried',
  empty: '$ bound to nobody',
};
/** More addresses than this are counted only. */
const MAX_ADDRESSES = 20;

/** The lines of a tree. A rule is shown where it is used, not again at every branch of what it says. */
export function treeText(tree: TreeJson): string {
  return [...treeLines(tree, '', '', undefined)].join('\n');
}

function* treeLines(
  tree: TreeJson,
  indent: string,
  lead: string,
  usedBefore: DentryJson | undefined,
): Generator<string> {
  const { path, dentry } = tree;
  const rule = dentry === undefined || dentry.prefix === '/' ? '' : `(${dentry.prefix} => ${dentry.dst})`;
  const by = sameRule(dentry, usedBefore) ? '' : rule;
  const head = [path ?? '', outcomeOf(tree), by].filter(part => part !== '').join('   ');
  if (head !== '' || lead !== '') yield `${indent}${lead}${head}`;
  const inner = `${indent}  `;
  yield* boundLines(tree, inner);
  if (tree.delegate !== undefined) yield* treeLines(tree.delegate, inner, '', dentry);
  for (const [i, each] of (tree.alt ?? []).entries()) yield* treeLines(each, inner, `${i + 1}. `, dentry);
  const total = (tree.union ?? []).reduce((sum, { weight }) => sum + weight, 0);
  for (const { weight, tree: each } of tree.union ?? [])
    yield* treeLines(each, inner, `${share(weight, total)} `, dentry);
}

function sameRule(a: DentryJson | undefined, b: DentryJson | undefined): boolean {
  return a !== undefined && b !== undefined && a.prefix === b.prefix && a.dst === b.dst;
}

function share(weight: number, total: number): string {
  return total > 0 ? `${Number(((weight / total) * 100).toFixed(3))} %` : `weight ${weight}`;
}

function outcomeOf({ type, message, path, alt, union }: TreeJson): string {
  if (type === 'exception') return `failed: ${message ?? 'no reason was given'}`;
  if (type === 'alt') return path === undefined ? `the first of ${alt?.length ?? 0} that answers` : '';
  if (type === 'union') return path === undefined ? `shared by ${union?.length ?? 0}` : '';
  return OUTCOMES[type] ?? '';
}

function* boundLines({ bound }: TreeJson, indent: string): Generator<string> {
  if (bound === undefined) return;
  const rest = bound.path === '/' || bound.path === '' ? '' : `, rest of the name ${bound.path}`;
  yield `${indent}bound to ${bound.id}${rest}: ${addrText(bound.addr)}`;
  if (bound.addr.type !== 'bound') return;
  for (const address of bound.addr.addrs.slice(0, MAX_ADDRESSES)) yield `${indent}  ${addressText(address)}`;
  const more = bound.addr.addrs.length - MAX_ADDRESSES;
  if (more > 0) yield `${indent}  … and ${more} more`;
}

function addrText(addr: AddrJson): string {
  switch (addr.type) {
    case 'bound':
      return addr.addrs.length === 1 ? '1 address' : `${addr.addrs.length} addresses`;
    case 'failed':
      return `failed: ${addr.cause ?? 'no reason was given'}`;
    case 'neg':
      return 'gone';
    case 'pending':
      return 'not known yet';
  }
}

function addressText({ ip, port, meta }: AddressJson): string {
  const facts = Object.entries(meta).map(([name, value]) => `${name}=${String(value)}`);
  return [formatEndpoint(ip, port), ...facts].join('  ');
}
