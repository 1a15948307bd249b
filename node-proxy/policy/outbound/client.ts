/** One connection of a pod to a service that asks for HTTP: what all its requests have in common. */

import type { Caller } from '../../authorize/index.ts';
import type { NameClient } from '../../balance/index.ts';
import type { LocalPod } from '../../tunnel/index.ts';
import type { HeldBytes } from '../exchange/held-bytes.ts';
import type { RequestSink, RequestTable } from '../flow.ts';
import type { Overrides } from './override.ts';
import type { Service } from './service.ts';
import type { PodUpstreams } from './upstream/pod-upstreams.ts';

/** Names as this worker knows them. */
export interface Names {
  known(key: string): NameClient | undefined;
  resolve(key: string): Promise<NameClient | undefined>;
}

export interface OutboundClient {
  pod: LocalPod;
  source: { ip: string; port: number };
  /** `ip:port` that was connected to. */
  destination: string;
  caller: Caller;
  service: Service;
  upstreams: PodUpstreams;
  names: Names;
  overrides: Overrides;
  held: HeldBytes;
  requests: RequestTable;
  log: RequestSink | undefined;
  random(): number;
  /** Milliseconds since the epoch. */
  wallNow(): number;
  /** Sees to it that the service is as namerd says now. */
  refresh(): void;
}
