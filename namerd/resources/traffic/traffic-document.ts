/** What a `TrafficPolicy` document means: the wire types of the mesh API, with every default filled in. */

import type { ClientSettings, ServiceSettings } from '#api';

export interface TrafficDocument {
  /** A service of the policy's own namespace; a port by number or name, without it all ports. */
  target: { service: string; port?: number | string };
  /** Goes before `appProtocol` and the port's name. */
  protocol?: 'http' | 'opaque';
  service: ServiceSettings;
  client: ClientSettings;
  server: ServerSettings;
  /** Things that are allowed but hardly meant. */
  warnings: readonly string[];
}

/** What the nodes of the service's workloads do. */
export interface ServerSettings {
  /** Tells the application who calls. */
  forwardClientIdentity: boolean;
  /** Requests that a workload has under way at once, over all callers; 0 = no limit. */
  concurrentRequests: number;
}
