/** The endpoints that one pod sends requests to, with the connections that it has open to each. */

import type { Socket } from 'node:net';
import type { LoadedEndpoint, ServiceClient } from '../../../balance/index.ts';
import type { Connector, Edge, EdgeTable, HttpHooks, LocalPod, Security } from '../../../tunnel/index.ts';
import { StreamSide } from '../../../tunnel/index.ts';
import type { Upstream } from '../../exchange/upstream.ts';
import type { HttpVersion, RequestEdge, RequestTable } from '../../flow.ts';
import { H1Upstream } from '../../h1/upstream-connection.ts';
import type { H2Pool } from '../../h2/upstream-pool.ts';
import type { HttpLimits } from '../../limits.ts';
import { asLines, type Field, NO_FIELDS } from '../../own-fields.ts';
import { HttpRefusal } from '../../reply/index.ts';
import { wirePair } from '../../wire/pair.ts';
import { SideWire } from '../../wire/side-wire.ts';
import { SocketWire } from '../../wire/socket-wire.ts';
import { Ways, wayTo } from '../../wire/ways.ts';
import type { Wire } from '../../wire/wire.ts';
import { Places, type Tenant } from './places.ts';
import { UpstreamVisit } from './visit.ts';

export interface UpstreamParts {
  now(): number;
  limits: HttpLimits;
  edges: EdgeTable;
  requests: RequestTable;
  /** For pods of this node that ask for HTTP themselves. */
  hooks: Pick<HttpHooks, 'inbound'>;
}

export class PodUpstreams {
  readonly #byEndpoint = new Map<LoadedEndpoint, PodUpstream>();
  readonly #pod: LocalPod;
  readonly #connector: Connector;
  readonly #parts: UpstreamParts;

  constructor(pod: LocalPod, connector: Connector, parts: UpstreamParts) {
    this.#pod = pod;
    this.#connector = connector;
    this.#parts = parts;
  }

  get size(): number {
    return this.#byEndpoint.size;
  }

  of(loaded: LoadedEndpoint, client: ServiceClient): PodUpstream {
    let upstream = this.#byEndpoint.get(loaded);
    if (upstream === undefined) {
      upstream = new PodUpstream(loaded, client, this.#pod, this.#connector, this.#parts);
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
    if (draining && this.#byEndpoint.size === 0) this.#connector.pool.retire();
  }

  close(): void {
    for (const upstream of this.#byEndpoint.values()) upstream.close();
    this.#byEndpoint.clear();
  }
}

export class PodUpstream implements Upstream, Tenant {
  readonly address: string;
  readonly loaded: LoadedEndpoint;
  readonly client: ServiceClient;
  readonly idle: H1Upstream[] = [];
  h2: H2Pool | undefined;
  /** Nobody sends anything by it any more. */
  closed = false;
  connections = 0;
  /** How the last connection was secured. */
  security: Security | '' = '';
  readonly #pod: LocalPod;
  readonly #connector: Connector;
  readonly #parts: UpstreamParts;
  readonly #places: Places;
  #flows: readonly Edge[] = [];
  readonly #ways = new Ways();
  #edges: EdgeOf[] = [];
  #ownName = '';
  #ownLines = '';
  #ownFields: readonly Field[] = NO_FIELDS;

  constructor(
    loaded: LoadedEndpoint,
    client: ServiceClient,
    pod: LocalPod,
    connector: Connector,
    parts: UpstreamParts,
  ) {
    this.loaded = loaded;
    this.client = client;
    this.#places = Places.of(client);
    this.#places.join(this);
    this.address = loaded.endpoint.replica.address;
    this.#pod = pod;
    this.#connector = connector;
    this.#parts = parts;
  }

  /** Linkerd's headers to the server: what was asked for and what it was bound to. */
  ownLines(name: string): string {
    if (this.#ownName !== name) this.#say(name);
    return this.#ownLines;
  }

  ownFields(name: string): readonly Field[] {
    if (this.#ownName !== name) this.#say(name);
    return this.#ownFields;
  }

  /** The counters of requests by this way; a few are kept at hand. */
  edge(service: string, route: string, version: HttpVersion): RequestEdge {
    for (const known of this.#edges)
      if (known.route === route && known.version === version && known.service === service) return known.edge;
    const { who } = this.#pod;
    const { replica } = this.loaded.endpoint;
    const edge = this.#parts.requests.edge({
      reporter: 'source',
      sourceWorkload: who.workload,
      sourceIdentity: who.identity,
      destinationWorkload: replica.workload,
      destinationIdentity: replica.identity,
      destinationService: service,
      route,
      version,
      security: this.security,
    });
    if (this.#edges.length >= MAX_EDGES_AT_HAND) this.#edges.shift();
    this.#edges.push({ service, route, version, edge });
    return edge;
  }

  async connectH1(wanted: () => boolean = always): Promise<H1Upstream> {
    const granted = await this.#places.take(this, wanted);
    if (granted !== 'place') return granted;
    const { wire, closed } = await this.#connect();
    return new H1Upstream(wire, this, closed);
  }

  async connect(): Promise<{ wire: Wire; closed: () => void }> {
    const { client } = this;
    if (!this.#places.takeNow())
      throw new HttpRefusal('overloaded', `${client.connections} connections to ${client.id} are open`);
    return this.#connect();
  }

  get unusedSinceMs(): number {
    const [oldest] = this.idle;
    if (oldest !== undefined) return oldest.idleSinceMs;
    return this.#unusedH2 === undefined ? Number.POSITIVE_INFINITY : 0;
  }

  giveUpUnused(): void {
    const [oldest] = this.idle;
    if (oldest !== undefined) return oldest.destroy();
    const unused = this.#unusedH2;
    if (unused !== undefined) this.h2 = undefined;
    unused?.destroy();
  }

  /** Nobody of this worker asks the endpoint: its connections have no streams. */
  get #unusedH2(): H2Pool | undefined {
    return this.loaded.pending === 0 && (this.h2?.size ?? 0) > 0 ? this.h2 : undefined;
  }

  offer(connection: H1Upstream): boolean {
    return this.#places.offer(connection, this);
  }

  /** Bytes of a request and its response, as the connections' counters see them. */
  carried(sent: number, received: number): void {
    for (const flow of this.#flows) {
      flow.sentBytes += sent;
      flow.receivedBytes += received;
    }
  }

  wait(): boolean {
    return this.client.wait();
  }

  waited(): void {
    this.client.waited();
  }

  sweep(nowMs: number, draining: boolean): void {
    const { upstreamIdleMs, idlePerEndpoint } = this.#parts.limits;
    const { idle, loaded } = this;
    const done = draining || loaded.left;
    const idleMs = done ? 0 : upstreamIdleMs;
    this.#ways.check(this.#way());
    for (const connection of idle.filter(({ wire }) => wire.retired === true)) connection.destroy();
    while (idle.length > 0) {
      const oldest = idle[0] as H1Upstream;
      if (nowMs - oldest.idleSinceMs < idleMs && idle.length <= idlePerEndpoint) break;
      oldest.destroy();
    }
    this.h2?.sweep(nowMs, done);
  }

  close(): void {
    this.closed = true;
    for (const connection of [...this.idle]) connection.destroy();
    this.h2?.destroy();
    this.#places.leave(this);
  }

  /** In a place that was taken. */
  async #connect(): Promise<{ wire: Wire; closed: () => void }> {
    const { edges, now } = this.#parts;
    const { endpoint } = this.loaded;
    const pod = this.#pod;
    this.connections += 1;
    const source = { ip: pod.who.ips[0] ?? '', port: 0 };
    const visit = new UpstreamVisit(pod, source, '');
    const gone = () => {
      visit.leave();
      this.connections -= 1;
      this.#places.freed();
    };
    const startedMs = now();
    const way = this.#way();
    let wire: Wire | undefined;
    try {
      wire = await this.#wire(visit);
      visit.mustGoOn();
    } catch (error) {
      wire?.reset();
      gone();
      throw HttpRefusal.of(error);
    }
    this.security = visit.labels.security;
    endpoint.open += 1;
    const flows = edges.flow(visit.labels);
    this.#flows = flows;
    for (const flow of flows) flow.opened(now() - startedMs);
    const made = wire;
    this.#ways.made(made, way);
    visit.onBroken = () => made.reset();
    const closed = () => {
      this.#ways.gone(made);
      endpoint.open -= 1;
      for (const flow of flows) flow.closed();
      gone();
    };
    return { wire, closed };
  }

  #way(): string {
    const { endpoint } = this.loaded;
    return wayTo(endpoint, this.#connector.local(endpoint));
  }

  async #wire(visit: UpstreamVisit): Promise<Wire> {
    const { endpoint } = this.loaded;
    const local = this.#connector.local(endpoint);
    if (local?.http !== undefined) return this.#within(local, visit);
    const wire = new SocketWire();
    const connected: Socket | StreamSide = await this.#connector.connect(endpoint, visit, wire.reader);
    return connected instanceof StreamSide ? new SideWire(connected) : wire.attach(connected);
  }

  /** A pod of this node that judges requests: by its own door, without a socket in between. */
  #within(local: LocalPod, visit: UpstreamVisit): Promise<Wire> {
    const { endpoint } = this.loaded;
    const { who } = this.#pod;
    this.#connector.checkIdentity(endpoint, local);
    Object.assign(visit.labels, {
      reporter: 'source',
      security: 'same_node',
      destinationWorkload: local.who.workload,
      destinationIdentity: local.who.identity,
    });
    const [near, far] = wirePair();
    return new Promise((resolve, reject) => {
      this.#parts.hooks.inbound({
        pod: local,
        caller: {
          identity: who.identity,
          namespace: who.namespace,
          workload: who.workload,
          ip: visit.source.ip,
        },
        source: visit.source.ip,
        ip: endpoint.ip,
        port: endpoint.port,
        labels: { ...visit.labels, reporter: 'destination' },
        open: () => far,
        accepted: () => resolve(near),
        refuse: reject,
        relay: (client, app) => {
          // Requests were announced; whatever else this is, it is not let past the pod's policies.
          client.reset();
          app.reset();
        },
      });
    });
  }

  #say(name: string): void {
    this.#ownName = name;
    this.#ownFields = [
      ['l5d-dst-service', name],
      ['l5d-dst-client', this.client.id],
    ];
    this.#ownLines = asLines(this.#ownFields);
  }
}

interface EdgeOf {
  service: string;
  route: string;
  version: HttpVersion;
  edge: RequestEdge;
}

const MAX_EDGES_AT_HAND = 16;

function always(): boolean {
  return true;
}
