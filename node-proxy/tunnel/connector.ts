/**
 * A pod's way to endpoints: joined within the node, through a tunnel, or in plaintext from inside the pod's
 * netns, so that source address and network policy stay right. Never plaintext where a tunnel was meant.
 */

import type { Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { formatEndpoint } from '#base/net.ts';
import type { Endpoint } from '../balance/index.ts';
import type { SocketReader } from './accept.ts';
import { dial, startDial } from './dial.ts';
import { ConnectionRefused } from './failure.ts';
import type { Credentials } from './hbone/credentials.ts';
import { Tunnel } from './hbone/tunnel.ts';
import { TunnelPool } from './hbone/tunnel-pool.ts';
import { connectHeaders, formatBaggage, formatForwarded, HBONE_PORT } from './hbone/wire.ts';
import { callerOf, enter, type Visit } from './inbound/enter.ts';
import type { TunnelLimits } from './limits.ts';
import type { LocalPod } from './local-pod.ts';
import type { FlowLabels } from './relay/flow.ts';
import type { StreamSide } from './relay/side.ts';

/** What the connector needs of its worker. */
export interface ConnectorHost {
  clock: Clock;
  limits: TunnelLimits;
  credentials: Credentials;
  /** Every enrolled pod of this node, by IP. */
  localPods: ReadonlyMap<string, LocalPod>;
}

/** The connection that is made, as far as its making needs it. */
export interface Outgoing extends Visit {
  /** The client's address, shown to the server. */
  source: { ip: string; port: number };
  /** Told how it is connected and to whom. */
  labels: FlowLabels;
  /** Nothing but requests is sent, without what the pod may not say. */
  readonly requests?: boolean;
}

export class Connector {
  readonly pool: TunnelPool;
  readonly #pod: LocalPod;
  readonly #host: ConnectorHost;
  readonly #baggage: string;

  constructor(pod: LocalPod, host: ConnectorHost) {
    const { limits } = host;
    this.#pod = pod;
    this.#host = host;
    this.#baggage = formatBaggage(pod.who.namespace, pod.who.name);
    this.pool = new TunnelPool({
      tunnelsPerPeer: limits.tunnelsPerPeer,
      waiting: limits.waitingPerPeer,
      connectTimeoutMs: limits.connectTimeoutMs,
    });
  }

  /** The pod of this node that the endpoint is, if it is one. */
  local(endpoint: Endpoint): LocalPod | undefined {
    return this.#host.localPods.get(endpoint.ip);
  }

  /**
   * @param reader for the socket, if it is one; else it comes paused.
   * @throws ConnectionRefused; nothing was connected then.
   */
  async connect(endpoint: Endpoint, outgoing: Outgoing, reader?: SocketReader): Promise<Socket | StreamSide> {
    const { netns } = this.#pod;
    const { ip, port, replica } = endpoint;
    const { limits } = this.#host;
    const { source, labels } = outgoing;
    outgoing.mustGoOn();
    const local = this.local(endpoint);
    labels.destinationWorkload = replica.workload;
    labels.destinationIdentity = replica.identity;
    if (local !== undefined) {
      this.checkIdentity(endpoint, local);
      labels.security = 'same_node';
      labels.reporter = 'both';
      labels.destinationWorkload = local.who.workload;
      labels.destinationIdentity = local.who.identity;
      return enter(local, callerOf(this.#pod, source.ip), ip, port, outgoing, limits, reader);
    }
    labels.reporter = 'source';
    if (!replica.hbone) {
      labels.security = 'plaintext';
      return dial(netns, { ip, port }, limits.connectTimeoutMs, reader);
    }
    labels.security = 'mutual_tls';
    const headers = connectHeaders(
      formatEndpoint(ip, port),
      this.#baggage,
      formatForwarded(source.ip, source.port),
      outgoing.requests === true,
    );
    return this.pool.open(endpoint.peerKey, headers, () => this.#tunnel(endpoint));
  }

  /** @throws ConnectionRefused when another pod has the address than the binding says. */
  checkIdentity({ ip, replica }: Endpoint, { who }: LocalPod): void {
    if (replica.identity === '' || replica.identity === who.identity) return;
    throw new ConnectionRefused(
      'wrong_identity',
      `expected ${replica.identity} at ${ip}, there is ${who.identity}`,
    );
  }

  #tunnel(endpoint: Endpoint): Tunnel {
    const { clock, credentials, limits } = this.#host;
    const { netns, who } = this.#pod;
    const { peerKey, replica, ip } = endpoint;
    const context = credentials.context(who.identity, clock.now());
    if (context === undefined)
      throw new ConnectionRefused('no_certificate', `${who.identity} has no valid certificate`);
    if (replica.identity === '')
      throw new ConnectionRefused('wrong_identity', `${replica.address} has no identity`);
    return new Tunnel({
      socket: startDial(netns, { ip, port: HBONE_PORT }),
      context,
      expected: replica.identity,
      clock,
      maxStreams: limits.streamsPerTunnel,
      idleMs: limits.idleTunnelMs,
      onRetired: tunnel => this.pool.forget(peerKey, tunnel),
      onClosed: tunnel => this.pool.closed(tunnel),
    });
  }
}
