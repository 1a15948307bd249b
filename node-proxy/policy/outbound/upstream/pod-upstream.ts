/** One endpoint as one pod reaches it, with the connections that the pod has open to it. */

import type { Socket } from 'node:net';
import type { LoadedEndpoint, ServiceClient } from '../../../balance/index.ts';
import {
  type Connector,
  callerOf,
  type Edge,
  type EdgeTable,
  type HttpHooks,
  type LocalPod,
  type Security,
  StreamSide,
} from '../../../tunnel/index.ts';
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
import type { Wire } from '../../wire/wire.ts';
import { EdgesAtHand } from './edges-at-hand.ts';
import { Places, type Tenant } from './places.ts';
import { UpstreamVisit } from './visit.ts';
import { Ways, wayTo } from './ways.ts';

/** What the upstreams of a worker have in common. */
export interface UpstreamParts {
  now(): number;
  limits: HttpLimits;
  edges: EdgeTable;
  requests: RequestTable;
  /** For pods of this node that ask for HTTP themselves. */
  hooks: Pick<HttpHooks, 'inbound'>;
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
  readonly #edges: EdgesAtHand;
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
    this.#edges = new EdgesAtHand(pod.who, parts.requests);
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

  /** The counters of requests by this way. */
  edge(service: string, route: string, version: HttpVersion): RequestEdge {
    return this.#edges.of(this.loaded.endpoint.replica, this.security, service, route, version);
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
    return this.#places.wait();
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
    const visit = new UpstreamVisit(pod, { ip: pod.addressTowards(endpoint.ip), port: 0 });
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
        caller: callerOf(this.#pod, visit.source.ip),
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

function always(): boolean {
  return true;
}
