/** What all balancers are asked, and when an endpoint can be chosen. */

import type { LoadedEndpoint } from '../request/loaded-endpoint.ts';

export interface Balancer {
  /**
   * Chooses among the endpoints that are {@link usable}; allocates nothing.
   * @param hash what the request is kept together by, as uint32; -1: nothing.
   * @param random 0 ≤ random() < 1, for where a draw is rare; a balancer that always draws has its own Draws.
   * @returns undefined when it came upon none: the caller then looks at every endpoint.
   */
  pick(
    tried: readonly LoadedEndpoint[],
    hash: number,
    nowMs: number,
    random: () => number,
  ): LoadedEndpoint | undefined;
}

/** Serves, is not ejected (or due for a probe), and has not been tried for this request. */
export function usable(endpoint: LoadedEndpoint, tried: readonly LoadedEndpoint[], nowMs: number): boolean {
  return (
    !endpoint.terminating &&
    endpoint.accrual.available(nowMs) &&
    (tried.length === 0 || !tried.includes(endpoint))
  );
}
