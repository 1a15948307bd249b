/**
 * Which process runs on which cores. Load generator and applications share the last core, proxies have the others,
 * so that what a proxy costs does not depend on where the scheduler happens to put the load.
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
