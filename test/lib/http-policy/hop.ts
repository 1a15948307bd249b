/**
 * The HTTP data path in this process over loopback: what a client connects to is carried as one pod's connection to
 * a service; endpoints are dialled directly, without namespaces or tunnels.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import {
  type AddressState,
  type ClientSettings,
  DEFAULT_SERVICE_SETTINGS,
  type NameState,
  type Replica,
  type ServiceHttp,
} from '#api';
import { systemClock } from '#base/clock.ts';
import { DENY_ALL } from '../../../node-proxy/authorize/index.ts';
import { type Endpoint, EndpointTable, type NameClient } from '../../../node-proxy/balance/index.ts';
import { EdgeCounters } from '../../../node-proxy/observe/edge-counters.ts';
import { RequestCounters } from '../../../node-proxy/observe/requests/request-counters.ts';
import {
  DEFAULT_HTTP_LIMITS,
  type HttpLimits,
  HttpPolicy,
  type RequestEntry,
} from '../../../node-proxy/policy/index.ts';
import { Resolver } from '../../../node-proxy/resolve/index.ts';
import {
  type Connector,
  Credentials,
  DEFAULT_LIMITS,
  LocalPod,
  type OutboundCall,
  type SocketReader,
  type WorkerContext,
} from '../../../node-proxy/tunnel/index.ts';

const DESTINATION = '10.96.0.1:80';
const OWN_NAME = '/svc/shop/web/http';

export interface HopOptions {
  http?: Partial<ServiceHttp>;
  client?: ClientSettings;
  /** `ip:port` of the service's own replicas. */
  replicas: readonly string[];
  /** By name: `ip:port` each. */
  names?: Record<string, readonly string[]>;
  limits?: Partial<HttpLimits>;
  identity?: string;
  /** Keeps no entries of the access log. */
  quiet?: boolean;
}

export class Hop {
  readonly policy: HttpPolicy;
  readonly requests = new RequestCounters();
  readonly entries: RequestEntry[] = [];
  readonly resolver: Resolver;
  readonly #server: Server;
  readonly #pod: LocalPod;
  readonly #connector: Connector;
  #http: ServiceHttp;
  #client: ClientSettings | undefined;
  readonly #names = new Map<string, readonly string[]>();
  #replicas: readonly string[];

  constructor({ http, client, replicas, names = {}, limits = {}, identity, quiet = false }: HopOptions) {
    this.#http = { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS, ...http };
    this.#client = client;
    this.#replicas = replicas;
    for (const [name, list] of Object.entries(names)) this.#names.set(name, list);
    const now = () => systemClock.monotonic();
    this.resolver = new Resolver({
      clock: systemClock,
      endpoints: new EndpointTable(now),
      watch: () => {},
      unwatch: () => {},
      timeoutMs: 1_000,
      limit: 100,
      idleMs: 600_000,
    });
    const context: WorkerContext = {
      clock: systemClock,
      random: Math.random,
      limits: DEFAULT_LIMITS,
      now,
      edges: new EdgeCounters(),
      log: undefined,
      credentials: new Credentials({ trustDomain: 'test.mesh', roots: [] }),
      resolver: this.resolver,
      localPods: new Map(),
      draining: false,
      whenUnresolved: 'refuse',
    };
    this.policy = new HttpPolicy({
      context,
      requests: this.requests,
      limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
      ...(quiet ? {} : { log: (entry: RequestEntry) => void this.entries.push(entry) }),
      names: owner => {
        const known = new Map<string, NameClient>();
        return {
          known: key => known.get(key),
          resolve: async key => {
            const list = this.#names.get(key);
            if (list === undefined) return owner.compile({ state: 'bound', tree: { type: 'neg' } });
            const client = owner.compile(this.#bound(key, list));
            known.set(key, client);
            return client;
          },
        };
      },
      problem: (about, message) => {
        throw new Error(`${about}: ${message}`);
      },
    });
    this.#pod = new LocalPod(
      {
        id: 'pod',
        workload: 'shop/client',
        namespace: 'shop',
        name: 'client',
        identity: identity ?? 'spiffe://test.mesh/ns/shop/sa/client',
        ips: ['10.1.0.2'],
      },
      { id: 'pod', fd: -1, close: () => {} } as never,
      DENY_ALL,
    );
    this.#connector = { local: () => undefined, connect } as unknown as Connector;
    this.#publish();
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, socket =>
      this.#accept(socket),
    );
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Namerd says something new. */
  change(http: Partial<ServiceHttp>, replicas = this.#replicas): void {
    this.#http = { ...this.#http, ...http };
    this.#replicas = replicas;
    this.#publish();
  }

  async close(): Promise<void> {
    this.policy.close();
    // Not awaited: the server counts sockets whose connections were taken from them.
    this.#server.close();
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
      http: this.#http,
    };
    void this.resolver.resolve(DESTINATION);
    this.resolver.bind(DESTINATION, state);
  }

  #bound(name: string, addresses: readonly string[]): NameState {
    const replicas = addresses.map(
      (address, i): Replica => ({
        address,
        workload: `shop${name.slice(name.lastIndexOf('/'))}-${i}`,
        node: '',
        identity: '',
        hbone: false,
        zone: '',
        weight: 1,
        terminating: false,
      }),
    );
    const client = this.#client === undefined ? {} : { client: this.#client };
    return {
      state: 'bound',
      tree: {
        type: 'leaf',
        id: `/#/registry${name.slice(4)}`,
        residual: '',
        replicas: { state: 'bound', replicas },
        ...client,
      },
    };
  }

  #accept(socket: Socket): void {
    const fd = (socket as unknown as { _handle: { fd: number } })._handle.fd;
    const target = this.resolver.known(DESTINATION);
    if (target?.kind !== 'service') throw new Error('not bound');
    void fd;
    const call: OutboundCall = {
      pod: this.#pod,
      source: { ip: '10.1.0.2', port: socket.remotePort ?? 0 },
      destination: DESTINATION,
      target,
      connector: this.#connector,
      open: (reader?: SocketReader) => (reader === undefined ? socket : rewrap(socket, reader)),
      relay: client => client.reset(),
    };
    this.policy.outbound(call);
  }
}

/** The same connection with another way of reading. */
function rewrap(socket: Socket, reader: SocketReader): Socket {
  const { _handle } = socket as unknown as { _handle: unknown };
  const again = new Socket({ handle: _handle, onread: reader, allowHalfOpen: true } as never);
  again.setNoDelay(true);
  return again;
}

function connect(
  endpoint: Endpoint,
  outgoing: { labels: { security: string } },
  reader?: SocketReader,
): Promise<Socket> {
  outgoing.labels.security = 'plaintext';
  return new Promise((resolve, reject) => {
    const socket = new Socket({
      allowHalfOpen: true,
      ...(reader === undefined ? {} : { onread: reader }),
    } as never);
    socket.setNoDelay(true);
    socket.pause();
    socket.once('error', reject);
    socket.connect({ host: endpoint.ip, port: endpoint.port }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
