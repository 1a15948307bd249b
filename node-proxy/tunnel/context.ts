/** What one tunnel worker shares between its pods and connections. Assembled in workers/. */

import type { Clock } from '#base/clock.ts';
import type { Resolver } from '../resolve/index.ts';
import type { Credentials } from './hbone/credentials.ts';
import type { HandOver, HttpHooks } from './layer7.ts';
import type { TunnelLimits } from './limits.ts';
import type { LocalPod } from './local-pod.ts';
import type { ConnectionHost } from './relay/connection.ts';

export interface WorkerContext extends ConnectionHost {
  clock: Clock;
  random(): number;
  limits: TunnelLimits;
  credentials: Credentials;
  resolver: Resolver;
  /** Every enrolled pod of this node, by IP: also those that other workers serve. */
  localPods: ReadonlyMap<string, LocalPod>;
  /** True once no new connections are taken. */
  draining: boolean;
  /** What happens to a connection whose destination namerd could not name in time. */
  whenUnresolved: 'refuse' | 'passthrough';
  /** In tunnel workers: where connections go that ask for HTTP. */
  handOver?: HandOver;
  /** In policy workers: who understands HTTP. */
  http?: HttpHooks;
}
