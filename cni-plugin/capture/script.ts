/** The shell scripts that run inside a pod, and the reading of what they print. Pure text. */

import {
  compareChains,
  compareRouting,
  type FoundRouting,
  type FoundTables,
  readRouting,
  readTables,
} from './compare.ts';
import type { Iptables } from './flavour.ts';
import { renderFirst, renderReplacement, renderRoute, renderRoutingRule } from './render.ts';
import { type Chain, type Family, RETURN_ROUTING, type ReturnRouting, type RuleSet } from './rules.ts';

/** `absent`: the kernel has no IPv6, nothing to capture. `disabled`: rules are in place, routes wait until it is on. */
export type IPv6State = 'on' | 'disabled' | 'absent';

export interface SeenFamily {
  tables: FoundTables;
  routing: FoundRouting;
}

export interface Seen {
  ipv6: IPv6State;
  /** IPv6 is there unless `absent`. */
  families: Readonly<{ 4: SeenFamily; 6?: SeenFamily }>;
}

/** Defines `fail`, and `ipv6` as {@link IPv6State}; `read` and `[` are built in, so this starts no process. */
const PREAMBLE = `
fail() { echo "$1 failed" >&2; exit 1; }
ipv6=absent
if [ -e /proc/self/net/if_inet6 ]; then
  ipv6=on
  read -r off < /proc/sys/net/ipv6/conf/lo/disable_ipv6
  [ "$off" = 1 ] && ipv6=disabled
fi
echo "@ipv6 $ipv6"
`;

/** Puts rules into a pod that has none of ours; fails, and changes nothing, if the IPv4 chains exist. */
export function firstScript(iptables: Iptables, { chains, routing }: RuleSet): string {
  const routes = additions(routing, { rule: false, route: false });
  return [
    PREAMBLE,
    restoreStep(iptables, 4, renderFirst(chains[4])),
    'echo @changed',
    routingStep(4, ['link set lo up', ...routes]),
    'if [ $ipv6 != absent ]; then',
    restoreStep(iptables, 6, renderFirst(chains[6])),
    'fi',
    'if [ $ipv6 = on ]; then',
    routingStep(6, routes),
    'fi',
  ].join('\n');
}

/** Whether {@link firstScript} did anything, be it that it failed later on. */
export function hasChanged(output: string): boolean {
  return /^@changed$/m.test(output);
}

/** Prints all that {@link readLook} wants. */
export function lookScript({ save }: Iptables, { table }: ReturnRouting): string {
  const family = (family: Family) =>
    `echo @save${family}; ${save[family]} || fail ${save[family]}
     echo @rules${family}; ip -${family} rule show || fail 'ip rule'
     echo @routes${family}; ip -${family} route show table ${table} 2>/dev/null`;
  return `${PREAMBLE}${family(4)}\nif [ $ipv6 != absent ]; then\n${family(6)}\nfi\nexit 0`;
}

/** Prints what a flavour that we do not use has, if it is there at all. */
export function leftoverScript({ flavour, save }: Iptables): string {
  // Asking legacy iptables would otherwise load its tables. Files in /proc have no size, so one line is read.
  const loaded =
    flavour === 'legacy' ? 'read -r table 2>/dev/null < /proc/self/net/ip_tables_names || exit 0\n' : '';
  return `${PREAMBLE}${loaded}echo @save4; ${save[4]} 2>/dev/null
    if [ $ipv6 != absent ]; then echo @save6; ${save[6]} 2>/dev/null; fi
    exit 0`;
}

/** Reads the output of {@link lookScript} and {@link leftoverScript}. */
export function readLook(output: string, routing: ReturnRouting): Seen {
  const sections = new Map<string, string>();
  for (const part of output.split(/^@/m).slice(1)) {
    const end = part.indexOf('\n');
    sections.set(part.slice(0, end), part.slice(end + 1));
  }
  const family = (family: Family): SeenFamily => ({
    tables: readTables(sections.get(`save${family}`) ?? ''),
    routing: readRouting(
      sections.get(`rules${family}`) ?? '',
      sections.get(`routes${family}`) ?? '',
      routing,
    ),
  });
  const ipv6 = readIPv6(output);
  return { ipv6, families: ipv6 === 'absent' ? { 4: family(4) } : { 4: family(4), 6: family(6) } };
}

export function readIPv6(output: string): IPv6State {
  const state = /^@ipv6 (on|disabled)$/m.exec(output)?.[1];
  return state === 'on' || state === 'disabled' ? state : 'absent';
}

/** Differences per family; a family that is absent has none. */
export function differencesOf({ chains, routing }: RuleSet, { ipv6, families }: Seen): string[] {
  return ([4, 6] as const).flatMap(family => {
    const seen = families[family];
    if (seen === undefined) return [];
    const routed = family === 4 || ipv6 === 'on' ? compareRouting(routing, seen.routing) : [];
    return [...compareChains(chains[family], seen.tables), ...routed].map(text => `IPv${family}: ${text}`);
  });
}

/** True if nothing of ours is there. */
export function isEmpty({ families }: Seen): boolean {
  return Object.values(families).every(
    ({ tables, routing }) => tables.size === 0 && !routing.rule && !routing.route,
  );
}

/** Brings a pod from what was seen to what is wanted. */
export function replacementScript(iptables: Iptables, { chains, routing }: RuleSet, seen: Seen): string {
  const steps = ([4, 6] as const).map(family => {
    const found = seen.families[family];
    if (found === undefined) return '';
    const rules =
      compareChains(chains[family], found.tables).length === 0
        ? ''
        : restoreStep(iptables, family, replacementText(chains[family], found.tables));
    const routed = family === 4 || seen.ipv6 === 'on' ? additions(routing, found.routing) : [];
    const up = family === 4 ? ['link set lo up'] : [];
    return `${routingStep(family, [...up, ...routed])}\n${rules}`;
  });
  return PREAMBLE + steps.join('\n');
}

/** Removes what was seen; empty if there is nothing to do. @param keepReturnPath leaves all but the nat table. */
export function removalScript(iptables: Iptables, seen: Seen, keepReturnPath: boolean): string {
  const steps = ([4, 6] as const).flatMap(family => {
    const found = seen.families[family];
    if (found === undefined) return [];
    const tables = new Map([...found.tables].filter(([table]) => table === 'nat' || !keepReturnPath));
    const { rule, route } = found.routing;
    const routing = [
      ...(rule ? [`rule del ${renderRoutingRule(RETURN_ROUTING)}`] : []),
      ...(route ? [`route del ${renderRoute(RETURN_ROUTING)}`] : []),
    ];
    return [
      ...(tables.size === 0 ? [] : [restoreStep(iptables, family, replacementText([], tables))]),
      ...(keepReturnPath || routing.length === 0 ? [] : [routingStep(family, routing)]),
    ];
  });
  return steps.length === 0 ? '' : PREAMBLE + steps.join('\n');
}

function replacementText(wanted: readonly Chain[], found: FoundTables): string {
  const tables = new Set([...wanted.map(({ table }) => table), ...found.keys()]);
  return [...tables]
    .map(table => {
      const own = wanted.filter(chain => chain.table === table);
      return renderReplacement(table, own, found.get(table) ?? { chains: new Map(), references: [] });
    })
    .join('');
}

function additions(routing: ReturnRouting, { rule, route }: FoundRouting): string[] {
  return [
    ...(route ? [] : [`route replace ${renderRoute(routing)}`]),
    ...(rule ? [] : [`rule add ${renderRoutingRule(routing)}`]),
  ];
}

/** The text holds nothing a shell would expand: names, numbers and canonical addresses, and the quoted here-document. */
function restoreStep({ restore }: Iptables, family: Family, text: string): string {
  const command = restore[family];
  return `${command} --noflush --wait 5 <<'NODEMESH_EOF' || fail ${command}\n${text}NODEMESH_EOF`;
}

function routingStep(family: Family, commands: readonly string[]): string {
  if (commands.length === 0) return '';
  return `ip -${family} -batch - <<'NODEMESH_EOF' || fail 'ip -${family}'\n${commands.join('\n')}\nNODEMESH_EOF`;
}
