/** Where requests go: one endpoint as one pod reaches it, with the connections that are open to it. */

import type { H1Upstream } from '../h1/upstream-connection.ts';
import type { Wire } from '../wire/wire.ts';

/** An HTTP/2 connection, as its upstream keeps it. */
export interface Closable {
  /** @param nowMs called every second. */
  sweep(nowMs: number): void;
  destroy(): void;
}

export interface Upstream {
  /** For logs and refusals: `ip:port`. */
  readonly address: string;
  /** Unused HTTP/1.1 connections, the most recently used last. */
  readonly idle: H1Upstream[];
  /** HTTP/2 connections. */
  readonly h2: Set<Closable>;
  /** A new connection for one HTTP/1.1 exchange at a time. @throws HttpRefusal */
  connectH1(): Promise<H1Upstream>;
  /** Connects anew, for HTTP/2. @throws HttpRefusal */
  connect(): Promise<{ wire: Wire; closed: () => void }>;
}
