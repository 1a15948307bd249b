/**
 * The server's node of the HTTP data path over loopback: what a caller connects to is carried as its connection to a
 * pod that judges requests; the application is dialled directly.
 */

import type { NodeWorkload, Policy, Transport, WorkloadHttp } from '#api';
import { type Clock, systemClock } from '#base/clock.ts';
import { Authorizer } from '../../../node-proxy/authorize/index.ts';
import { RequestCounters } from '../../../node-proxy/observe/requests/request-counters.ts';
import {
  DEFAULT_HTTP_LIMITS,
  type HttpLimits,
  HttpPolicy,
  type RequestEntry,
} from '../../../node-proxy/policy/index.ts';
import type {
  enter,
  InboundCall,
  LocalPod,
  Side,
  StreamSide,
  WorkerContext,
} from '../../../node-proxy/tunnel/index.ts';
import { Relay } from '../../../node-proxy/tunnel/relay/relay.ts';
import { contextOf, dialLoopback, type Handle, Listener, podOf, resolverOf, socketOf } from './loopback.ts';
import { Streams } from './streams.ts';

export const CALLER = 'spiffe://test.mesh/ns/shop/sa/client';
const OPEN: Transport = { mode: 'permissive', ports: {} };

export interface DoorOptions {
  /** Where the application listens. */
  port: number;
  policies?: readonly Policy[];
  transport?: NodeWorkload['transport'];
  http?: Partial<WorkloadHttp>;
  /** SPIFFE id of the caller; '' = plaintext. */
  identity?: string;
  /** The caller's node carried the requests itself. */
  requests?: boolean;
  clock?: Clock;
  limits?: Partial<HttpLimits>;
}

export class Door {
  readonly policy: HttpPolicy;
  readonly requests = new RequestCounters();
  readonly entries: RequestEntry[] = [];
  readonly pod: LocalPod;
  readonly context: WorkerContext;
  /** Why callers were refused before they could speak. */
  readonly refused: unknown[] = [];
  /** Connections to the application that were ever made, and relays of what was not HTTP that are open. */
  dialled = 0;
  relayed = 0;
  /** What connections to the application wait for. */
  dialling: () => Promise<void> = async () => {};
  readonly #streams = new Streams();
  readonly #listener: Listener;
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    const { clock = systemClock, limits = {}, policies = [], transport = OPEN, http = {} } = options;
    this.#options = options;
    this.context = contextOf(clock, resolverOf(clock));
    this.policy = new HttpPolicy({
      context: this.context,
      requests: this.requests,
      limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
      log: { wants: () => true, write: entry => this.entries.push(entry) },
      names: () => ({ known: () => undefined, resolve: async () => undefined }),
      problem: (about, message) => {
        throw new Error(`${about}: ${message}`);
      },
      enter: this.#enter,
    });
    this.pod = podOf('app', '10.1.0.3', new Authorizer(policies, transport));
    const declared = { [String(options.port)]: 'http' as const };
    this.pod.http = { ports: declared, forwardClientIdentity: true, concurrentRequests: 0, ...http };
    this.#listener = new Listener(handle => this.#accept(handle));
  }

  listen(): Promise<number> {
    return this.#listener.listen();
  }

  /** Namerd says something new. */
  judgeBy(policies: readonly Policy[], transport = OPEN): void {
    this.pod.reauthorize(new Authorizer(policies, transport));
  }

  async close(): Promise<void> {
    this.policy.close();
    await this.#listener.close();
  }

  get lastEntry(): RequestEntry {
    return this.entries.at(-1) as RequestEntry;
  }

  readonly #enter: typeof enter = async (pod, caller, _ip, port, visit, _limits, reader) => {
    visit.judge(pod, { identity: caller.identity, namespace: caller.namespace, ip: new Uint8Array(4), port });
    this.dialled += 1;
    await this.dialling();
    const socket = await dialLoopback('127.0.0.1', port, reader);
    visit.mustGoOn();
    return socket;
  };

  /** A caller through a tunnel: its side of the stream. @param early what it says before it is answered. */
  async call(early: readonly Buffer[] = []): Promise<StreamSide> {
    const near = await this.#streams.open((far, answer) => {
      this.#called({
        open: () => far,
        accepted: answer,
        refuse: error => {
          this.refused.push(error);
          far.reset();
        },
      });
    });
    for (const chunk of early) near.write(chunk);
    return near;
  }

  #accept(handle: Handle): void {
    this.#called({
      open: reader => socketOf(handle, reader),
      accepted: () => {},
      refuse: error => {
        this.refused.push(error);
        handle.close();
      },
    });
  }

  #called(entrance: Pick<InboundCall, 'open' | 'accepted' | 'refuse'>): void {
    const { port, identity = CALLER, requests = identity !== '' } = this.#options;
    const namespace = identity === '' ? '' : 'shop';
    const workload = identity === '' ? '' : 'shop/client';
    const call: InboundCall = {
      pod: this.pod,
      caller: { identity, namespace, workload, ip: '10.1.0.2', requests },
      source: '10.1.0.2:40000',
      ip: '10.1.0.3',
      port,
      labels: {
        reporter: 'destination',
        sourceWorkload: workload,
        sourceIdentity: identity,
        destinationWorkload: this.pod.who.workload,
        destinationIdentity: this.pod.who.identity,
        destinationService: '',
        security: identity === '' ? 'plaintext' : 'mutual_tls',
      },
      ...entrance,
      relay: (client, app) => this.#relay(client, app),
    };
    this.policy.inbound(call);
  }

  #relay(client: Side, app: Side): void {
    this.relayed += 1;
    const meter = { sent: () => {}, received: () => {}, done: () => void (this.relayed -= 1) };
    new Relay(client, app, meter).start();
  }
}
