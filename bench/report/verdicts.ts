/** Targets, and whether a run reached them. Pure. */

import type { ContenderName } from '../contenders/contender.ts';
import type { Results } from '../l4.ts';
import { ratios, type Spread, spread } from '../measure/statistics.ts';
import { addedP99, bulkCpu, connectionCpu, type Figure, pacedCpu, requestCpu, series } from './series.ts';

export interface Comparison {
  what: string;
  ours: ContenderName;
  theirs: ContenderName;
  figure: Figure;
  /** Largest ratio that is good enough; undefined: told for information. */
  target?: number;
}

export const COMPARISONS: readonly Comparison[] = [
  ...against('haproxy-mtls', 'mesh-far', { requests: 0.9, connections: 0.25, bulk: 1.5, added: 1.5 }),
  {
    what: 'CPU per new connection, theirs resumed',
    ours: 'mesh-far',
    theirs: 'haproxy-mtls-resumed',
    figure: connectionCpu,
  },
  ...against('haproxy-tcp', 'mesh-near', {}),
];

function against(
  theirs: ContenderName,
  ours: ContenderName,
  targets: { requests?: number; connections?: number; bulk?: number; added?: number },
): Comparison[] {
  const rows: [string, Figure, number | undefined][] = [
    ['CPU per small request', requestCpu, targets.requests],
    ['CPU per new connection', connectionCpu, targets.connections],
    ['CPU per GB', bulkCpu, targets.bulk],
    ['added p99 at the fixed rate', addedP99, targets.added],
    ['CPU per request at the fixed rate', pacedCpu, undefined],
  ];
  return rows.map(([what, figure, target]) => ({
    what,
    ours,
    theirs,
    figure,
    ...(target === undefined ? {} : { target }),
  }));
}

export interface Verdict {
  comparison: Comparison;
  /** Ours divided by theirs, one per round in which theirs is above zero (an added latency may not be). */
  ratios: number[];
  spread: Spread | undefined;
  outcome: 'reached' | 'not reached' | 'unclear' | undefined;
}

/** The median of the rounds decides; where theirs was never above zero, nothing can be said. */
export function judge(results: Results, comparison: Comparison): Verdict | undefined {
  const { ours, theirs, figure, target } = comparison;
  const mine = series(results, figure, ours);
  const other = series(results, figure, theirs);
  if (mine === undefined || other === undefined) return undefined;
  const quotients = ratios(mine, other).filter((_, round) => (other[round] ?? 0) > 0);
  const range = quotients.length === 0 ? undefined : spread(quotients);
  return { comparison, ratios: quotients, spread: range, outcome: outcomeOf(range, target) };
}

/** CNI ADD: median within the limit. */
export const CNI_TARGET_MS = 100;

export function outcomeOf(range: Spread | undefined, target: number | undefined): Verdict['outcome'] {
  if (target === undefined) return undefined;
  if (range === undefined) return 'unclear';
  return range.median <= target ? 'reached' : 'not reached';
}
