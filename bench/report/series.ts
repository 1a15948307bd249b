/** Figures out of results: one number per round, in round order. Pure. */

import type { ContenderName } from '../contenders/contender.ts';
import type { Results, Round } from '../l4.ts';
import type { Cost } from '../load/jobs.ts';

/** A figure of one contender in one round; undefined where it is not measured. */
export type Figure = (round: Round, name: ContenderName) => number | undefined;

const perUnit = (cost: Cost | undefined, factor: number) =>
  cost === undefined ? undefined : (cost.cpuMs / cost.units) * factor;

/** Microseconds of CPU per request, as many as go through. */
export const requestCpu: Figure = (round, name) => perUnit(round.requests[name], 1e3);
/** Microseconds of CPU per request at the fixed rate, which includes waking up for each. */
export const pacedCpu: Figure = (round, name) =>
  name.startsWith('direct') ? undefined : perUnit(round.paced[name], 1e3);
/** Microseconds of CPU per connection. */
export const connectionCpu: Figure = (round, name) => perUnit(round.connections[name], 1e3);
/** Seconds of CPU per 10^9 bytes. */
export const bulkCpu: Figure = (round, name) => perUnit(round.bulk[name], 1e6);

/** Milliseconds. */
export const p50: Figure = (round, name) => round.paced[name]?.p50;
export const p99: Figure = (round, name) => round.paced[name]?.p99;
export const p999: Figure = (round, name) => round.paced[name]?.p999;

/** What the proxies add to the 99th percentile of a direct connection in the same round, milliseconds. */
export const addedP99: Figure = (round, name) => {
  const whole = p99(round, name);
  const direct = p99(round, name === 'haproxy-tcp' || name === 'mesh-near' ? 'direct-near' : 'direct-far');
  return whole === undefined || direct === undefined ? undefined : whole - direct;
};

/** The figure in every round, or undefined if the contender was not measured at it. */
export function series({ rounds }: Results, figure: Figure, name: ContenderName): number[] | undefined {
  const values = rounds.map(round => figure(round, name));
  return values.every(value => value !== undefined) && values.length > 0 ? values : undefined;
}
