/**
 * The HTTP data path in this process over loopback: what a client connects to is carried as one pod's connection to
 * a service; endpoints are dialled directly, without namespaces or tunnels.
 */

import {
  type AddressState,
  type ClientSettings,
  DEFAULT_SERVICE_SETTINGS,
  type NameState,
  type ServiceHttp,
} from '#api';
import { type Clock, systemClock } from '#base/clock.ts';
import { DENY_ALL } from '../../../node-proxy/authorize/index.ts';
import type { Endpoint, NameClient } from '../../../node-proxy/balance/index.ts';
import { RequestCounters } from '../../../node-proxy/observe/requests/request-counters.ts';
import {
  DEFAULT_HTTP_LIMITS,
  type HttpLimits,
  HttpPolicy,
  type RequestEntry,
} from '../../../node-proxy/policy/index.ts';
import type { Resolver } from '../../../node-proxy/resolve/index.ts';
import type {
  Connector,
  LocalPod,
  OutboundCall,
  Side,
  SocketReader,
  StreamSide,
  WorkerContext,
} from '../../../node-proxy/tunnel/index.ts';
import { Relay } from '../../../node-proxy/tunnel/relay/relay.ts';
import { sideOf } from '../../../node-proxy/tunnel/relay/side.ts';
import { replica } from '../balance/service-rig.ts';
import { contextOf, dialLoopback, type Handle, Listener, podOf, resolverOf, socketOf } from './loopback.ts';
import { Streams } from './streams.ts';

const DESTINATION = '10.96.0.1:80';
const OWN_NAME = '/svc/shop/web/http';

const UNMETERED = { sent: () => {}, received: () => {}, done: () => {} };

export interface HopOptions {
  http?: Partial<ServiceHttp>;
  client?: ClientSettings;
  /** `ip:port` of the service's own replicas. */
  replicas: readonly string[];
  /** By name: `ip:port` each. */
  names?: Record<string, readonly string[]>;
  limits?: Partial<HttpLimits>;
  identity?: string;
  clock?: Clock;
  /** Resolves before a name does that is not known yet; false: it never does. */
  naming?: (key: string) => Promise<boolean>;
  /** A pod of the same node, which judges requests: every endpoint is it. */
  neighbour?: LocalPod;
  /** Reaches endpoints by streams of a tunnel. */
  tunnels?: boolean;
  /** Keeps no entries of the access log. */
  quiet?: boolean;
}

export class Hop {
  readonly policy: HttpPolicy;
  readonly requests = new RequestCounters();
  readonly entries: RequestEntry[] = [];
  readonly resolver: Resolver;
  readonly pod: LocalPod;
  readonly context: WorkerContext;
  readonly #listener: Listener;
  readonly #connector: Connector;
  #http: ServiceHttp | undefined;
  #client: ClientSettings | undefined;
  readonly #names = new Map<string, readonly string[]>();
  #replicas: readonly string[];
  readonly #streams = new Streams();
  /** Connections to endpoints that were ever made, and relays of what was not HTTP. */
  dialled = 0;
  /** What connections to endpoints wait for. */
  dialling: () => Promise<void> = async () => {};
  relayed = 0;
  /** What of a name its service does not stand for, from the next {@link Hop.change} on. */
  residual = '/';

  constructor(options: HopOptions) {
    const { http, client, replicas, names = {}, limits = {}, identity, quiet = false } = options;
    const { clock = systemClock, naming = async () => true, neighbour, tunnels = false } = options;
    this.#http = { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS, ...http };
    this.#client = client;
    this.#replicas = replicas;
    for (const [name, list] of Object.entries(names)) this.#names.set(name, list);
    this.resolver = resolverOf(clock);
    this.context = contextOf(clock, this.resolver);
    this.policy = new HttpPolicy({
      context: this.context,
      requests: this.requests,
      limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
      ...(quiet
        ? {}
        : { log: { wants: () => true, write: (entry: RequestEntry) => this.entries.push(entry) } }),
      names: owner => {
        const known = new Map<string, NameClient>();
        return {
          known: key => known.get(key),
          resolve: async key => {
            if (!(await naming(key))) return undefined;
            const list = this.#names.get(key);
            if (list === undefined) return owner.compile({ state: 'bound', tree: { type: 'neg' } });
            const named = owner.compile(this.#bound(key, list));
            known.set(key, named);
            return named;
          },
        };
      },
      problem: (about, message) => {
        throw new Error(`${about}: ${message}`);
      },
      enter: (_pod, _caller, _ip, port, _visit, _limits, reader) => dialLoopback('127.0.0.1', port, reader),
    });
    this.pod = podOf('client', '10.1.0.2', DENY_ALL, identity);
    this.#connector = {
      local: () => neighbour,
      checkIdentity: () => {},
      connect: async (
        endpoint: Endpoint,
        outgoing: { labels: { security: string } },
        reader?: SocketReader,
      ) => {
        outgoing.labels.security = 'plaintext';
        this.dialled += 1;
        await this.dialling();
        const { ip, port } = endpoint;
        return tunnels ? this.#throughTunnel(ip, port) : dialLoopback(ip, port, reader);
      },
    } as unknown as Connector;
    this.#publish();
    this.#listener = new Listener(handle => this.#accept(handle));
  }

  listen(): Promise<number> {
    return this.#listener.listen();
  }

  /** Namerd says something new. */
  change(http: Partial<ServiceHttp>, replicas = this.#replicas): void {
    this.#http = { ...(this.#http as ServiceHttp), ...http };
    this.#replicas = replicas;
    this.#publish();
  }

  /** Nothing asks for HTTP any more. */
  withoutHttp(replicas: readonly string[]): void {
    this.#http = undefined;
    this.#replicas = replicas;
    this.#publish();
  }

  async close(): Promise<void> {
    this.policy.close();
    await this.#listener.close();
  }

  /** `<namespace>/<service>` or a bound id. */
  counters(name = 'shop/web') {
    return this.requests.service(name);
  }

  get lastEntry(): RequestEntry {
    return this.entries.at(-1) as RequestEntry;
  }

  #publish(): void {
    const state: AddressState = {
      target: 'service',
      namespace: 'shop',
      service: 'web',
      port: 'http',
      name: OWN_NAME,
      appProtocol: '',
      bound: this.#bound(OWN_NAME, this.#replicas),
      ...(this.#http === undefined ? {} : { http: this.#http }),
    };
    void this.resolver.resolve(DESTINATION);
    this.resolver.bind(DESTINATION, state);
  }

  #bound(name: string, addresses: readonly string[]): NameState {
    const replicas = addresses.map((address, i) =>
      replica(address, { workload: `shop${name.slice(name.lastIndexOf('/'))}-${i}`, node: '' }),
    );
    const client = this.#client === undefined ? {} : { client: this.#client };
    return {
      state: 'bound',
      tree: {
        type: 'leaf',
        id: `/#/registry${name.slice(4)}`,
        residual: this.residual,
        replicas: { state: 'bound', replicas },
        ...client,
      },
    };
  }

  #accept(handle: Handle): void {
    const target = this.resolver.known(DESTINATION);
    if (target?.kind !== 'service') throw new Error('not bound');
    const call: OutboundCall = {
      pod: this.pod,
      source: { ip: '10.1.0.2', port: 40_000 },
      destination: DESTINATION,
      target,
      connector: this.#connector,
      open: reader => socketOf(handle, reader),
      relay: client => void this.#relay(client),
    };
    this.policy.outbound(call);
  }

  /** As the other node does it for a pod that does not ask for HTTP. */
  #throughTunnel(ip: string, port: number): Promise<StreamSide> {
    return new Promise((resolve, reject) => {
      let near: Promise<StreamSide> | undefined;
      const connected = async (far: StreamSide, answer: () => void) => {
        try {
          const socket = await dialLoopback(ip, port);
          answer();
          new Relay(far, sideOf(socket), UNMETERED).start();
          resolve(await (near as Promise<StreamSide>));
        } catch (error) {
          reject(error);
        }
      };
      near = this.#streams.open((far, answer) => void connected(far, answer));
    });
  }

  /** As the L4 path does. */
  async #relay(client: Side): Promise<void> {
    const [ip = '', port] = (this.#replicas[0] ?? '').split(':');
    this.relayed += 1;
    const upstream = await dialLoopback(ip, Number(port)).catch(() => undefined);
    if (upstream === undefined) return client.reset();
    const meter = { sent: () => {}, received: () => {}, done: () => void (this.relayed -= 1) };
    new Relay(client, sideOf(upstream), meter).start();
  }
}
