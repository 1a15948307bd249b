/**
 * Which TCP connections of a pod go to the proxy, as data. Pure: options in, rules out; iptables text is made
 * by render.ts.
 *
 * Invariants: UDP and ICMP are never touched; a connection of the proxy is never captured again; whatever is not
 * excepted by name is captured, so that a stopped proxy means refused connections, not unprotected ones.
 */

import {
  type CaptureOptions,
  type Cidr,
  checkOptions,
  MARK_MASK,
  type PortRange,
  PROXY_MARK,
  RETURN_MARK,
} from './options.ts';

export type Family = 4 | 6;
export type Hook = 'PREROUTING' | 'OUTPUT';

/** All given parts must hold. TCP is understood. */
export interface Match {
  /** Block as iptables-save prints it. */
  source?: string;
  destination?: string;
  inInterface?: string;
  outInterface?: string;
  /** Destination ports, at most 15 numbers, where a range counts as two: iptables' own limit. */
  ports?: readonly PortRange[];
  /** Packet mark, under {@link MARK_MASK}. */
  mark?: number;
  notMark?: number;
  /** Connection mark, under {@link MARK_MASK}. */
  connectionMark?: number;
  /** First packets that open no connection: conntrack met an older connection in mid-stream. */
  midStream?: true;
}

export type Target =
  | { kind: 'return' }
  | { kind: 'redirect'; port: number }
  | { kind: 'set-connection-mark'; mark: number }
  | { kind: 'restore-mark' };

export interface Rule {
  match: Match;
  target: Target;
}

/** A chain of ours, and the built-in chain that jumps to it with all its TCP packets. */
export interface Chain {
  table: 'nat' | 'mangle';
  hook: Hook;
  name: string;
  rules: readonly Rule[];
}

/** Routing of packets with a mark into the pod itself: `ip rule` and a `local default dev lo` in a table. */
export interface ReturnRouting {
  mark: number;
  mask: number;
  table: number;
  priority: number;
}

export interface RuleSet {
  chains: Readonly<Record<Family, readonly Chain[]>>;
  routing: ReturnRouting;
}

/** Names that no other software uses; whatever carries one of them is ours to change and to remove. */
export const CHAIN_PREFIX = 'NODEMESH_';

/**
 * The table is ours alone: CNI's source-based-routing plugin, for one, starts numbering at 100. The priority comes
 * before every table but `local`.
 */
export const RETURN_ROUTING: ReturnRouting = {
  mark: RETURN_MARK,
  mask: MARK_MASK,
  table: 15006,
  priority: 100,
};

/** @throws CaptureOptionsError */
export function captureRules(options: CaptureOptions = {}): RuleSet {
  const checked = checkOptions(options);
  const chains = (family: Family): Chain[] => {
    const own = (cidrs: readonly Cidr[]) =>
      cidrs.filter(cidr => cidr.family === family).map(({ text }) => text);
    const spared = checked.sparingOpenConnections ? [pass({ midStream: true })] : [];
    // The way back comes first: nothing is captured before its answers can return.
    return [
      // The proxy calls the application with the caller's address as source. Such connections are recognised on lo
      // by the proxy's mark; the application's answers get a mark that routes them back to lo instead of to the caller.
      // Only lo: on other interfaces a mark may be somebody else's (Cilium keeps marks across the pod's border).
      {
        table: 'mangle',
        hook: 'PREROUTING',
        name: `${CHAIN_PREFIX}MARK`,
        rules: [
          {
            match: { inInterface: 'lo', mark: PROXY_MARK },
            target: { kind: 'set-connection-mark', mark: RETURN_MARK },
          },
        ],
      },
      {
        table: 'mangle',
        hook: 'OUTPUT',
        name: `${CHAIN_PREFIX}RETURN`,
        rules: [
          { match: { connectionMark: RETURN_MARK, notMark: PROXY_MARK }, target: { kind: 'restore-mark' } },
        ],
      },
      {
        table: 'nat',
        hook: 'PREROUTING',
        name: `${CHAIN_PREFIX}INBOUND`,
        rules: [
          // Whatever comes through lo began in this pod: it calls itself, or is the proxy calling the application.
          pass({ inInterface: 'lo' }),
          ...spared,
          pass({ ports: [{ from: checked.tunnelPort, to: checked.tunnelPort }] }),
          ...own(checked.probeSources).flatMap(source =>
            checked.probePorts.length === 0
              ? pass({ source })
              : portGroups(checked.probePorts).map(ports => pass({ source, ports })),
          ),
          ...portGroups(checked.excludedInboundPorts).map(ports => pass({ ports })),
          { match: {}, target: { kind: 'redirect', port: checked.inboundPort } },
        ],
      },
      {
        table: 'nat',
        hook: 'OUTPUT',
        name: `${CHAIN_PREFIX}OUTBOUND`,
        rules: [
          pass({ mark: PROXY_MARK }),
          pass({ outInterface: 'lo' }),
          ...spared,
          // DNS over TCP stays as direct as DNS over UDP.
          pass({ ports: [{ from: 53, to: 53 }] }),
          ...portGroups(checked.excludedOutboundPorts).map(ports => pass({ ports })),
          ...own(checked.excludedOutboundCidrs).map(destination => pass({ destination })),
          { match: {}, target: { kind: 'redirect', port: checked.outboundPort } },
        ],
      },
    ];
  };
  return { chains: { 4: chains(4), 6: chains(6) }, routing: RETURN_ROUTING };
}

function pass(match: Match): Rule {
  return { match, target: { kind: 'return' } };
}

/** Splits ports so that each group fits into one multiport match. */
function portGroups(ranges: readonly PortRange[]): PortRange[][] {
  const LIMIT = 15;
  const groups: PortRange[][] = [];
  let used = LIMIT;
  for (const range of ranges) {
    const size = range.from === range.to ? 1 : 2;
    if (used + size > LIMIT) {
      groups.push([]);
      used = 0;
    }
    groups.at(-1)!.push(range);
    used += size;
  }
  return groups;
}
