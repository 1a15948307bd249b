/** What a pod has, read from `iptables-save`, `ip rule` and `ip route`, held against what it should have. Pure. */

import { type FoundTable, renderChain, renderJump, renderRoute, renderRoutingRule } from './render.ts';
import { CHAIN_PREFIX, type Chain, type ReturnRouting } from './rules.ts';

/** Tables in which something of ours was found. */
export type FoundTables = ReadonlyMap<string, FoundTable>;

/** @param saved output of `iptables-save` or `ip6tables-save`. */
export function readTables(saved: string): FoundTables {
  const tables = new Map<string, { chains: Map<string, string[]>; references: string[] }>();
  let name = '';
  const table = () => {
    const known = tables.get(name) ?? { chains: new Map<string, string[]>(), references: [] };
    tables.set(name, known);
    return known;
  };
  for (const text of saved.split('\n')) {
    const line = text.trim();
    if (line.startsWith('*')) name = line.slice(1);
    else if (line.startsWith(`:${CHAIN_PREFIX}`))
      table().chains.set(line.slice(1).split(' ', 1)[0] ?? '', []);
    else if (line.startsWith(`-A ${CHAIN_PREFIX}`))
      table()
        .chains.get(line.split(' ', 2)[1] ?? '')
        ?.push(line);
    else if (/ -[jg] NODEMESH_/.test(line)) table().references.push(line.replace(/^-A /, ''));
  }
  return tables;
}

/** One sentence per difference; empty = as wanted. */
export function compareChains(wanted: readonly Chain[], found: FoundTables): string[] {
  const differences: string[] = [];
  const jumps = new Set(wanted.map(chain => `${chain.table} ${renderJump(chain)}`));
  for (const chain of wanted) {
    const table = found.get(chain.table);
    const name = `${chain.table} ${chain.name}`;
    const rules = table?.chains.get(chain.name);
    if (rules === undefined) differences.push(`chain ${name} is missing`);
    else differences.push(...compareRules(name, renderChain(chain), rules));
    const count = table?.references.filter(reference => reference === renderJump(chain)).length ?? 0;
    if (count !== 1)
      differences.push(`${count} jumps from ${chain.table} ${chain.hook} to ${chain.name}, not 1`);
  }
  for (const [name, { chains, references }] of found) {
    for (const chain of chains.keys())
      if (!wanted.some(one => one.table === name && one.name === chain))
        differences.push(`chain ${name} ${chain} is not in use any more`);
    for (const reference of references)
      if (!jumps.has(`${name} ${reference}`)) differences.push(`${name} has a foreign jump: ${reference}`);
  }
  return differences;
}

function compareRules(name: string, wanted: readonly string[], found: readonly string[]): string[] {
  for (let i = 0; i < Math.max(wanted.length, found.length); i++) {
    const [want, have] = [wanted[i], found[i]];
    if (want === undefined) return [`chain ${name} has a rule too many: ${have}`];
    if (have === undefined) return [`chain ${name} lacks the rule: ${want}`];
    // The order of a rule's parts means nothing and differs between versions of iptables.
    if (sortedWords(want) !== sortedWords(have)) return [`chain ${name} has '${have}' instead of '${want}'`];
  }
  return [];
}

function sortedWords(line: string): string {
  return line.split(' ').sort().join(' ');
}

export interface FoundRouting {
  rule: boolean;
  route: boolean;
}

/** @param rules output of `ip rule show`. @param routes output of `ip route show table …` of our table. */
export function readRouting(rules: string, routes: string, wanted: ReturnRouting): FoundRouting {
  // `100:	from all fwmark 0x111/0xfff lookup 15006`
  const [, words = ''] = /^pref \d+ (.*)$/.exec(renderRoutingRule(wanted)) ?? [];
  const line = `^${wanted.priority}:\\s+from all ${words.replace(' table ', ' lookup ')}\\s*$`;
  return { rule: new RegExp(line, 'm').test(rules), route: /^local default dev lo\b/m.test(routes) };
}

export function compareRouting(wanted: ReturnRouting, { rule, route }: FoundRouting): string[] {
  return [
    ...(rule ? [] : [`ip rule ${renderRoutingRule(wanted)} is missing`]),
    ...(route ? [] : [`ip route ${renderRoute(wanted)} is missing`]),
  ];
}
