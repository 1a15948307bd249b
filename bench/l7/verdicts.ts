/** Targets, and whether a run reached them. Pure. */

import { ratios, type Spread, spread } from '../measure/statistics.ts';
import { type Verdict as Judged, outcomeOf } from '../report/verdicts.ts';
import type { Name } from './contenders.ts';
import { cpu, type Figure, p99, type Results, series } from './figures.ts';
import { type Group, type Scale, workId } from './work.ts';

/** The rate at which latency over L4 is judged. */
const JUDGED_RATE = 1_000;

export interface Comparison {
  what: string;
  work: string;
  ours: Name;
  theirs: Name;
  figure: Figure;
  /** Ours divided by theirs, or ours less theirs (milliseconds). */
  as: 'ratio' | 'difference';
  /** Largest value that is good enough; undefined: told for information. */
  target?: number;
}

export interface Verdict {
  comparison: Comparison;
  /** Of the rounds. */
  spread: Spread;
  outcome: Judged['outcome'];
}

export function comparisons({ sizes, sentSizes, rates }: Scale): Comparison[] {
  const costs = (group: Group, title: string, ours: Name, theirs: Name, target?: number): Comparison[] =>
    (group === 'post' ? sentSizes : sizes).map(bytes => ({
      what: `${title}, ${nameOfSize(bytes)}`,
      work: workId(group, bytes),
      ours,
      theirs,
      figure: cpu,
      as: 'ratio',
      ...(target === undefined ? {} : { target }),
    }));
  const added = (group: Group, title: string, ours: Name, theirs: Name): Comparison[] =>
    rates.map(rate => ({
      what: `p99 added over L4, ${title} at ${rate}/s`,
      work: workId(group, rate),
      ours,
      theirs,
      figure: p99,
      as: 'difference',
      ...(rate === JUDGED_RATE ? { target: 0.5 } : {}),
    }));
  const request = 'CPU per HTTP/1.1 request';
  const post = 'CPU per HTTP/1.1 POST';
  const call = 'CPU per unary call';
  return [
    ...costs('http', request, 'mesh-near', 'haproxy', 1.6),
    ...costs('post', post, 'mesh-near', 'haproxy', 1.6),
    ...costs('grpc', call, 'mesh-near', 'nginx', 2),
    ...added('paced', 'HTTP/1.1', 'mesh-near', 'mesh-l4-near'),
    ...added('paced', 'HTTP/1.1', 'mesh-far', 'mesh-l4-far'),
    ...added('paced-grpc', 'gRPC', 'mesh-near', 'mesh-l4-near'),
    ...added('paced-grpc', 'gRPC', 'mesh-far', 'mesh-l4-far'),
    ...costs('http', request, 'mesh-near', 'nginx'),
    ...costs('http', request, 'mesh-near', 'envoy'),
    ...costs('post', post, 'mesh-near', 'nginx'),
    ...costs('post', post, 'mesh-near', 'envoy'),
    ...costs('grpc', call, 'mesh-near', 'haproxy'),
    ...costs('grpc', call, 'mesh-near', 'envoy'),
    ...costs('http', request, 'mesh-far', 'haproxy-pair'),
    ...costs('http', request, 'mesh-far', 'nginx-pair'),
    ...costs('http', request, 'mesh-far', 'envoy-pair'),
    ...costs('post', post, 'mesh-far', 'haproxy-pair'),
    ...costs('post', post, 'mesh-far', 'nginx-pair'),
    ...costs('post', post, 'mesh-far', 'envoy-pair'),
    ...costs('grpc', call, 'mesh-far', 'haproxy-pair'),
    ...costs('grpc', call, 'mesh-far', 'nginx-pair'),
    ...costs('grpc', call, 'mesh-far', 'envoy-pair'),
  ];
}

/** The median of the rounds decides; undefined where one of the two was not measured. */
export function judge(results: Results, comparison: Comparison): Verdict | undefined {
  const { work, ours, theirs, figure, as, target } = comparison;
  const mine = series(results, work, ours, figure);
  const other = series(results, work, theirs, figure);
  if (mine === undefined || other === undefined) return undefined;
  const values =
    as === 'ratio' ? ratios(mine, other) : mine.map((value, round) => value - (other[round] ?? Number.NaN));
  const range = spread(values);
  return { comparison, spread: range, outcome: outcomeOf(range, target) };
}

export function nameOfSize(bytes: number): string {
  return bytes < 1_024 ? `${bytes} B` : `${bytes / 1_024} KB`;
}
