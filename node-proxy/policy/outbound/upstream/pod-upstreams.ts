/** The endpoints that one pod sends requests to. */

import type { LoadedEndpoint, ServiceClient } from '../../../balance/index.ts';
import type { Connector, LocalPod } from '../../../tunnel/index.ts';
import { PodUpstream, type UpstreamParts } from './pod-upstream.ts';

export class PodUpstreams {
  readonly pod: LocalPod;
  readonly connector: Connector;
  readonly #byEndpoint = new Map<LoadedEndpoint, PodUpstream>();
  readonly #parts: UpstreamParts;

  constructor(pod: LocalPod, connector: Connector, parts: UpstreamParts) {
    this.pod = pod;
    this.connector = connector;
    this.#parts = parts;
  }

  get size(): number {
    return this.#byEndpoint.size;
  }

  of(loaded: LoadedEndpoint, client: ServiceClient): PodUpstream {
    let upstream = this.#byEndpoint.get(loaded);
    if (upstream === undefined) {
      upstream = new PodUpstream(loaded, client, this.pod, this.connector, this.#parts);
      this.#byEndpoint.set(loaded, upstream);
    }
    return upstream;
  }

  /**
   * Connections that nobody has used for a while go; to be called every second.
   * @param draining all that nobody uses now go: a proxy that ends does not wait for them.
   */
  sweep(nowMs: number, draining: boolean): void {
    for (const [loaded, upstream] of this.#byEndpoint) {
      upstream.sweep(nowMs, draining);
      if (upstream.connections > 0 || loaded.pending > 0) continue;
      upstream.close();
      this.#byEndpoint.delete(loaded);
    }
    // Tunnels that were made meanwhile are not waited for either.
    if (draining && this.#byEndpoint.size === 0) this.connector.pool.retire();
  }

  close(): void {
    for (const upstream of this.#byEndpoint.values()) upstream.close();
    this.#byEndpoint.clear();
  }
}
