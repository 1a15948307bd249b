/**
 * Which process runs on which cores. By default the scheduler decides, as on a node. Pinned, load generator and
 * applications share the last core and proxies have the others: on two cores that makes the proxies of a pair wait
 * for each other, and latencies longer, while CPU per unit of work hardly changes.
 */

export interface Pinning {
  /** Words in front of a command. */
  load: readonly string[];
  proxies: readonly string[];
  description: string;
}

export function pinning(cores: number, wanted: boolean): Pinning {
  if (!wanted || cores < 2) return { load: [], proxies: [], description: 'nothing pinned' };
  const last = cores - 1;
  const others = last === 1 ? '0' : `0-${last - 1}`;
  return {
    load: ['taskset', '-c', `${last}`],
    proxies: ['taskset', '-c', others],
    description: `load and applications on core ${last}, proxies on core ${others}`,
  };
}
