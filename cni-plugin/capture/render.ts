/**
 * Rules as text of `iptables-restore --noflush`, in the very spelling of `iptables-save`, so that what is found
 * can be compared with what is wanted. Each table is replaced in one transaction of the kernel: there is no moment in
 * which half of it holds.
 */

import type { PortRange } from './options.ts';
import { MARK_MASK } from './options.ts';
import type { Chain, Match, ReturnRouting, Target } from './rules.ts';

/** `-A CHAIN …` */
export function renderRule(chain: string, match: Match, target: Target): string {
  return ['-A', chain, ...matchWords(match), '-j', ...targetWords(target)].join(' ');
}

/** The jump from the built-in chain, without its `-A`, `-I` or `-D`. */
export function renderJump({ hook, name }: Chain): string {
  return `${hook} -p tcp -j ${name}`;
}

/** The rules of a chain as `iptables-save` prints them. */
export function renderChain({ name, rules }: Chain): string[] {
  return rules.map(({ match, target }) => renderRule(name, match, target));
}

/** For a pod that has nothing of ours: fails as a whole, changing nothing, if a chain of ours exists. */
export function renderFirst(chains: readonly Chain[]): string {
  return [...Map.groupBy(chains, ({ table }) => table)]
    .map(([table, own]) =>
      transaction(
        table,
        own.flatMap(chain => [`-N ${chain.name}`, ...renderChain(chain), `-I ${renderJump(chain)}`]),
      ),
    )
    .join('');
}

/** What an `iptables-save` of one table says about us. */
export interface FoundTable {
  /** Our chains, by name, with their rules as `-A` lines. */
  chains: ReadonlyMap<string, readonly string[]>;
  /** Rules of built-in or foreign chains that jump to ours, without their `-A`. */
  references: readonly string[];
}

/**
 * Replaces whatever is found in one table by the wanted chains, with one jump to each before all rules of others.
 * No wanted chains = removes ours, however damaged. Built-in chains stay: conntrack must go on translating open connections.
 */
export function renderReplacement(table: string, wanted: readonly Chain[], found: FoundTable): string {
  const names = new Set(wanted.map(({ name }) => name));
  const stale = [...found.chains.keys()].filter(name => !names.has(name));
  return transaction(table, [
    // Declaring a chain empties it.
    ...[...names, ...stale].map(name => `:${name} - [0:0]`),
    ...wanted.flatMap(renderChain),
    ...found.references.map(reference => `-D ${reference}`),
    ...wanted.map(chain => `-I ${renderJump(chain)}`),
    ...stale.map(name => `-X ${name}`),
  ]);
}

/** Words of `ip rule add|del`. */
export function renderRoutingRule({ mark, mask, table, priority }: ReturnRouting): string {
  return `pref ${priority} fwmark ${hex(mark)}/${hex(mask)} table ${table}`;
}

/** Words of `ip route replace|del`. */
export function renderRoute({ table }: ReturnRouting): string {
  return `local default dev lo table ${table}`;
}

function transaction(table: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
}

/** The order of iptables-save: addresses, interfaces, protocol, then matches. */
function matchWords(match: Match): string[] {
  const words: string[] = [];
  const block = (flag: string, text: string | undefined) => {
    // iptables-save leaves out a block that matches everything.
    if (text !== undefined && !text.endsWith('/0')) words.push(flag, text);
  };
  block('-s', match.source);
  block('-d', match.destination);
  if (match.inInterface !== undefined) words.push('-i', match.inInterface);
  if (match.outInterface !== undefined) words.push('-o', match.outInterface);
  words.push('-p', 'tcp');
  if (match.midStream) words.push('-m', 'tcp', '!', '--tcp-flags', 'FIN,SYN,RST,ACK', 'SYN');
  if (match.ports !== undefined) words.push(...portWords(match.ports));
  if (match.connectionMark !== undefined)
    words.push('-m', 'connmark', '--mark', masked(match.connectionMark));
  if (match.mark !== undefined) words.push('-m', 'mark', '--mark', masked(match.mark));
  if (match.notMark !== undefined) words.push('-m', 'mark', '!', '--mark', masked(match.notMark));
  return words;
}

function portWords(ports: readonly PortRange[]): string[] {
  const list = ports.map(({ from, to }) => (from === to ? `${from}` : `${from}:${to}`)).join(',');
  return ports.length === 1 ? ['-m', 'tcp', '--dport', list] : ['-m', 'multiport', '--dports', list];
}

function targetWords(target: Target): string[] {
  switch (target.kind) {
    case 'return':
      return ['RETURN'];
    case 'redirect':
      return ['REDIRECT', '--to-ports', `${target.port}`];
    case 'set-connection-mark':
      return ['CONNMARK', '--set-xmark', masked(target.mark)];
    case 'restore-mark':
      return ['CONNMARK', '--restore-mark', '--nfmask', hex(MARK_MASK), '--ctmask', hex(MARK_MASK)];
  }
}

function masked(mark: number): string {
  return `${hex(mark)}/${hex(MARK_MASK)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
