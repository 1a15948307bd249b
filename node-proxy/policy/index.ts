/** The L7 data path. Starts nothing by itself: a policy worker gives it connections and snapshots. */

import type { NameState } from '#api';
import { ClientTable, EndpointTable, type NameClient } from '../balance/index.ts';
import {
  enter,
  type HttpHooks,
  type InboundCall,
  type OutboundCall,
  type WorkerContext,
} from '../tunnel/index.ts';
import { HeldBytes } from './exchange/held-bytes.ts';
import type { RequestSink, RequestTable } from './flow.ts';
import { type InboundParts, openInbound } from './inbound/door.ts';
import type { HttpLimits } from './limits.ts';
import type { Names } from './outbound/client.ts';
import { type OutboundParts, openOutbound } from './outbound/door.ts';
import { Overrides } from './outbound/override.ts';
import { Services } from './outbound/services.ts';
import type { UpstreamParts } from './outbound/upstream/pod-upstream.ts';
import { PodUpstreams } from './outbound/upstream/pod-upstreams.ts';
import { Worker } from './worker.ts';

export type { RequestEntry, RequestSink, RequestTable } from './flow.ts';
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';

export interface HttpPolicyOptions {
  context: WorkerContext;
  requests: RequestTable;
  limits: HttpLimits;
  log?: RequestSink;
  /** The worker's cache of names, compiled by this. */
  names: (owner: {
    compile: (state: NameState) => NameClient;
    release: (client: NameClient) => void;
    limit: number;
    timeoutMs: number;
  }) => Names;
  problem: (about: string, message: string) => void;
  /** Connects to applications of this node's pods; {@link enter}. */
  enter?: typeof enter;
}

export class HttpPolicy implements HttpHooks {
  readonly #context: WorkerContext;
  readonly #worker: Worker;
  readonly #services: Services;
  readonly #outbound: OutboundParts;
  readonly #inbound: InboundParts;
  readonly #upstreamParts: UpstreamParts;
  /** By pod id. */
  readonly #upstreams = new Map<string, PodUpstreams>();

  constructor(options: HttpPolicyOptions) {
    const { context, requests, limits, log, problem } = options;
    const { clock, random, edges, resolver } = context;
    const now = () => clock.monotonic();
    const clients = new ClientTable(new EndpointTable(now), { now, random });
    const worker = new Worker({ clock, limits, requests, draining: () => context.draining });
    const services = new Services({ clients, requests, now, random, problem });
    const held = new HeldBytes(limits.heldBytes);
    this.#context = context;
    this.#worker = worker;
    this.#services = services;
    this.#upstreamParts = { now, limits, edges, requests, hooks: this };
    this.#outbound = {
      worker,
      resolver,
      client: {
        names: options.names({
          compile: state => clients.compile(state),
          release: client => clients.release(client),
          limit: limits.names,
          timeoutMs: limits.bindMs,
        }),
        overrides: new Overrides(limits.dtabBytes),
        held,
        requests,
        log,
        random,
        wallNow: () => clock.now(),
      },
      acquire: target => services.acquire(target),
      release: service => services.release(service),
      upstreams: call => this.#upstreamsOf(call),
    };
    this.#inbound = {
      worker,
      limits: context.limits,
      enter: options.enter ?? enter,
      gate: { requests, log, edges, held },
      apps: new Set(),
    };
  }

  /** Client connections that are carried as HTTP. */
  get connections(): number {
    return this.#worker.connections;
  }

  outbound(call: OutboundCall): void {
    openOutbound(call, this.#outbound);
  }

  inbound(call: InboundCall): void {
    void openInbound(call, this.#inbound);
  }

  /** To be called every second. */
  sweep(): void {
    const nowMs = this.#worker.now();
    this.#worker.check();
    this.#services.sweep();
    for (const app of this.#inbound.apps) app.sweep(nowMs);
    const { localPods } = this.#context;
    for (const [id, upstreams] of this.#upstreams) {
      upstreams.sweep(nowMs, this.#worker.draining);
      const { pod, size } = upstreams;
      // While the pod is here, clients of it may hold on to them.
      if (size === 0 && !pod.who.ips.some(ip => localPods.get(ip) === pod)) this.#upstreams.delete(id);
    }
  }

  close(): void {
    this.#worker.close();
    for (const upstreams of this.#upstreams.values()) upstreams.close();
    this.#services.close();
  }

  #upstreamsOf({ pod, connector }: OutboundCall): PodUpstreams {
    const known = this.#upstreams.get(pod.who.id);
    // A pod that left and came back has a connector of its own.
    if (known !== undefined && known.connector === connector) return known;
    known?.close();
    const upstreams = new PodUpstreams(pod, connector, this.#upstreamParts);
    this.#upstreams.set(pod.who.id, upstreams);
    return upstreams;
  }
}
