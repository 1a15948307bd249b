/** The L7 data path. Starts nothing by itself: a policy worker gives it connections and snapshots. */

import type { NameState } from '#api';
import { ClientTable, EndpointTable, type NameClient } from '../balance/index.ts';
import {
  enter,
  type HttpHooks,
  type InboundCall,
  type LocalPod,
  type OutboundCall,
  type WorkerContext,
} from '../tunnel/index.ts';
import { HeldBytes } from './exchange/held-bytes.ts';
import type { RequestEntry, RequestTable } from './flow.ts';
import { openInbound } from './inbound/door.ts';
import type { HttpLimits } from './limits.ts';
import type { Names } from './outbound/client.ts';
import { openOutbound } from './outbound/door.ts';
import { Overrides } from './outbound/override.ts';
import { Services } from './outbound/services.ts';
import { PodUpstreams } from './outbound/upstream/pod-upstreams.ts';
import { Worker } from './worker.ts';

export type { RequestEntry, RequestTable } from './flow.ts';
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';

export interface HttpPolicyOptions {
  context: WorkerContext;
  requests: RequestTable;
  limits: HttpLimits;
  log?: (entry: RequestEntry) => void;
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
  readonly #options: HttpPolicyOptions;
  readonly #worker: Worker;
  readonly #services: Services;
  readonly #names: Names;
  readonly #overrides: Overrides;
  readonly #held: HeldBytes;
  /** By pod id. */
  readonly #upstreams = new Map<string, { pod: LocalPod; connector: unknown; upstreams: PodUpstreams }>();
  readonly #underWay = new Map<string, number>();

  constructor(options: HttpPolicyOptions) {
    this.#options = options;
    const { context, requests, limits, problem } = options;
    const { clock, random } = context;
    const now = () => clock.monotonic();
    const clients = new ClientTable(new EndpointTable(now), { now, random });
    this.#worker = new Worker({ clock, limits, requests, draining: () => context.draining });
    this.#services = new Services({ clients, requests, now, random, problem });
    this.#overrides = new Overrides(limits.dtabBytes);
    this.#held = new HeldBytes(limits.heldBytes);
    this.#names = options.names({
      compile: state => clients.compile(state),
      release: client => clients.release(client),
      limit: limits.names,
      timeoutMs: limits.bindMs,
    });
  }

  /** Client connections that are carried as HTTP. */
  get connections(): number {
    return this.#worker.connections;
  }

  outbound(call: OutboundCall): void {
    const { context, requests, log } = this.#options;
    const { clock, random, resolver } = context;
    openOutbound(call, {
      worker: this.#worker,
      resolver,
      client: {
        names: this.#names,
        overrides: this.#overrides,
        held: this.#held,
        requests,
        log,
        random,
        wallNow: () => clock.now(),
      },
      acquire: target => this.#services.acquire(target),
      release: service => this.#services.release(service),
      upstreams: ({ pod, connector }) => this.#upstreamsOf(pod, connector),
    });
  }

  inbound(call: InboundCall): void {
    const { context, requests, log } = this.#options;
    void openInbound(call, {
      worker: this.#worker,
      limits: context.limits,
      enter: this.#options.enter ?? enter,
      gate: { requests, log, underWay: this.#underWay, edges: context.edges, held: this.#held },
    });
  }

  /** To be called every second. */
  sweep(): void {
    const nowMs = this.#worker.now();
    this.#worker.check();
    this.#services.sweep();
    const { localPods } = this.#options.context;
    for (const [id, { pod, upstreams }] of this.#upstreams) {
      upstreams.sweep(nowMs, this.#worker.draining);
      // While the pod is here, clients of it may hold on to them.
      if (upstreams.size === 0 && !pod.who.ips.some(ip => localPods.get(ip) === pod))
        this.#upstreams.delete(id);
    }
  }

  close(): void {
    this.#worker.close();
    for (const { upstreams } of this.#upstreams.values()) upstreams.close();
    this.#services.close();
  }

  #upstreamsOf(pod: OutboundCall['pod'], connector: OutboundCall['connector']): PodUpstreams {
    const known = this.#upstreams.get(pod.who.id);
    // A pod that left and came back has a connector of its own.
    if (known !== undefined && known.connector === connector) return known.upstreams;
    known?.upstreams.close();
    const { context, requests, limits } = this.#options;
    const upstreams = new PodUpstreams(pod, connector, {
      now: () => this.#worker.now(),
      limits,
      edges: context.edges,
      requests,
      hooks: this,
    });
    this.#upstreams.set(pod.who.id, { pod, connector, upstreams });
    return upstreams;
  }
}
