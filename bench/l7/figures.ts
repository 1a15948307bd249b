/** Figures out of results: one number per round, in round order. Pure. */

import type { Name } from './contenders.ts';
import type { Measured, Round } from './work.ts';

export interface Results {
  rounds: Round[];
  /** Why peers have no figure for some work. */
  failures?: readonly string[];
}

export type Figure = (measured: Measured) => number | undefined;

/** Microseconds of CPU per request, all proxies on the way together. */
export const cpu: Figure = ({ cpuMs, units }) => (cpuMs / units) * 1e3;
/** The same of the load generator. */
export const ownCpu: Figure = ({ ownCpuMs, units }) =>
  ownCpuMs === undefined ? undefined : (ownCpuMs / units) * 1e3;
/** Requests a second. */
export const throughput: Figure = ({ units, wallMs }) => (units / wallMs) * 1e3;
/** Milliseconds. */
export const p50: Figure = ({ p50 }) => p50;
export const p99: Figure = ({ p99 }) => p99;
export const p999: Figure = ({ p999 }) => p999;

/** The figure in every round, or undefined if the contender was not measured at it. @param work its id */
export function series({ rounds }: Results, work: string, name: Name, figure: Figure): number[] | undefined {
  const values = rounds.map(round => {
    const measured = round[work]?.[name];
    return measured === undefined ? undefined : figure(measured);
  });
  return values.every(value => value !== undefined) && values.length > 0 ? values : undefined;
}
