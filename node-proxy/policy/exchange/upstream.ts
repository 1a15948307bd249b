/** Where requests go: one endpoint as one pod reaches it, with the connections that are open to it. */

import type { H1Upstream, IdlePool } from '../h1/upstream-connection.ts';
import type { H2Pool, Reachable } from '../h2/upstream-pool.ts';

/** `address`, for logs and refusals, is `ip:port`; `connect` is for HTTP/2. */
export interface Upstream extends Reachable, IdlePool {
  /** HTTP/2 connections; made by the first request that needs one. */
  h2: H2Pool | undefined;
  /**
   * A new connection for one HTTP/1.1 exchange at a time.
   * @param wanted whether it is still waited for. @throws HttpRefusal
   */
  connectH1(wanted?: () => boolean): Promise<H1Upstream>;
}
