/**
 * Port 15001: connections that a pod opens. Original destination → whose is it → pick an endpoint → connect
 * (in-process, tunnel or plain) → relay. A failed connect is tried on other endpoints: no byte was sent yet.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { canonicalIp, formatEndpoint } from '#base/net.ts';
import type { Endpoint, NoEndpoint } from '../balance/index.ts';
import type { Target } from '../resolve/index.ts';
import { admit, LISTENER_OPTIONS, originalOf } from './accept.ts';
import type { WorkerContext } from './context.ts';
import { dial, startDial } from './dial.ts';
import { ConnectionRefused, refusalOf } from './failure.ts';
import { Tunnel } from './hbone/tunnel.ts';
import { TunnelPool } from './hbone/tunnel-pool.ts';
import { connectHeaders, formatBaggage, formatForwarded, HBONE_PORT, OUTBOUND_PORT } from './hbone/wire.ts';
import { enter } from './inbound/enter.ts';
import type { LocalPod } from './local-pod.ts';
import { Connection } from './relay/connection.ts';
import type { FlowLabels } from './relay/flow.ts';
import { resetSocket, type Side, SocketSide } from './relay/side.ts';

export class OutboundServer {
  readonly server: Server;
  readonly pool: TunnelPool;
  readonly #pod: LocalPod;
  readonly #context: WorkerContext;
  readonly #baggage: string;

  constructor(pod: LocalPod, context: WorkerContext) {
    const { limits } = context;
    this.#pod = pod;
    this.#context = context;
    this.#baggage = formatBaggage(pod.who.namespace, pod.who.name);
    this.pool = new TunnelPool({
      tunnelsPerPeer: limits.tunnelsPerPeer,
      waiting: limits.waitingPerPeer,
      connectTimeoutMs: limits.connectTimeoutMs,
    });
    this.server = createServer(LISTENER_OPTIONS, socket => {
      void this.#accept(socket);
    });
  }

  async #accept(socket: Socket): Promise<void> {
    const pod = this.#pod;
    const sourceIp = pod.ownAddress(canonicalIp(socket.remoteAddress ?? '') ?? '');
    const sourcePort = socket.remotePort ?? 0;
    const original = originalOf(socket);
    const destination = original === undefined ? '' : formatEndpoint(original.ip, original.port);
    const connection = new Connection(this.#context, {
      direction: 'outbound',
      pod,
      source: formatEndpoint(sourceIp, sourcePort),
      destination,
    });
    const labels = emptyLabels(pod);
    try {
      admit(pod, 'outbound', this.#context.limits);
      if (original === undefined || this.#isOwn(original.ip, original.port)) {
        throw new ConnectionRefused(
          'no_original_destination',
          'nothing redirected this connection to the capture port',
        );
      }
      const target = this.#context.resolver.known(destination) ?? (await this.#resolve(destination));
      connection.mustGoOn();
      if (target.kind === 'refused')
        throw new ConnectionRefused(target.reason, `${destination}: ${target.message}`);
      if (target.kind === 'service') labels.destinationService = target.service;
      if (target.kind === 'foreign') {
        labels.security = 'plaintext';
        connection.attempts = 1;
        const { ip, port } = original;
        const upstream = await dial(pod.netns, { ip, port }, this.#context.limits.connectTimeoutMs);
        connection.establish(new SocketSide(socket), new SocketSide(upstream), labels);
        return;
      }
      await this.#balance(target, socket, sourceIp, sourcePort, connection, labels);
    } catch (error) {
      connection.refused(refusalOf(error, 'outbound'), labels);
      resetSocket(socket);
    }
  }

  /** Tries endpoints until one accepts; only failures that promise an untouched connection are tried again. */
  async #balance(
    target: Extract<Target, { kind: 'service' | 'workload' }>,
    socket: Socket,
    sourceIp: string,
    sourcePort: number,
    connection: Connection,
    labels: FlowLabels,
  ): Promise<void> {
    const { clock, random, limits } = this.#context;
    const branch = target.picker.pick(random);
    if ('none' in branch) throw new ConnectionRefused(branch.none, NOTHING[branch.none]);
    const tried: Endpoint[] = [];
    let last: ConnectionRefused | undefined;
    while (tried.length < limits.attempts) {
      const startMs = clock.monotonic();
      const endpoint = branch.picker.pick(tried, startMs, random);
      if (endpoint === undefined) break;
      tried.push(endpoint);
      connection.attempts = tried.length;
      endpoint.accrual.trying(startMs);
      describe(endpoint, labels);
      try {
        const upstream = await this.#connect(endpoint, sourceIp, sourcePort, connection, labels);
        const nowMs = clock.monotonic();
        endpoint.connected(nowMs - startMs, nowMs);
        connection.establish(new SocketSide(socket), upstream, labels, endpoint);
        return;
      } catch (error) {
        last = refusalOf(error, endpoint.replica.address);
        if (!this.#blame(endpoint, last)) throw last;
      }
    }
    throw last ?? new ConnectionRefused('no_endpoints', NOTHING.no_endpoints);
  }

  /** Says to the endpoint's record what happened. @returns whether another endpoint may be tried. */
  #blame(endpoint: Endpoint, error: ConnectionRefused): boolean {
    const nowMs = this.#context.clock.monotonic();
    switch (error.reason) {
      case 'connect_failed':
      case 'connect_timeout':
      case 'tls_failure':
      case 'wrong_identity':
      case 'peer_error':
        endpoint.accrual.failed(nowMs);
        return true;
      case 'tunnel_gone':
        // A proxy that is being replaced says GOAWAY; the application behind it may be fine.
        endpoint.accrual.abandoned(nowMs);
        return true;
      case 'policy':
        // It answered, and its answer stands: asking a sibling until one says yes would be a way around.
        endpoint.accrual.succeeded();
        return false;
      default:
        endpoint.accrual.abandoned(nowMs);
        return false;
    }
  }

  async #connect(
    endpoint: Endpoint,
    sourceIp: string,
    sourcePort: number,
    connection: Connection,
    labels: FlowLabels,
  ): Promise<Side> {
    const pod = this.#pod;
    const { ip, port, replica } = endpoint;
    const { localPods, limits } = this.#context;
    const local = localPods.get(ip);
    connection.mustGoOn();
    if (local !== undefined) {
      if (replica.identity !== '' && replica.identity !== local.who.identity) {
        throw new ConnectionRefused(
          'wrong_identity',
          `expected ${replica.identity} at ${ip}, there is ${local.who.identity}`,
        );
      }
      labels.security = 'same_node';
      labels.reporter = 'both';
      labels.destinationWorkload = local.who.workload;
      labels.destinationIdentity = local.who.identity;
      const { identity, namespace } = pod.who;
      return enter(local, { identity, namespace, ip: sourceIp }, ip, port, connection, limits);
    }
    labels.reporter = 'source';
    if (!replica.hbone) {
      labels.security = 'plaintext';
      return new SocketSide(await dial(pod.netns, { ip, port }, limits.connectTimeoutMs));
    }
    labels.security = 'mutual_tls';
    const headers = connectHeaders(
      formatEndpoint(ip, port),
      this.#baggage,
      formatForwarded(sourceIp, sourcePort),
    );
    return this.pool.open(endpoint.peerKey, headers, () => this.#tunnel(endpoint));
  }

  #tunnel(endpoint: Endpoint): Tunnel {
    const { clock, credentials, limits } = this.#context;
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

  async #resolve(destination: string): Promise<Target> {
    const target = await this.#context.resolver.resolve(destination);
    if (target !== undefined) return target;
    if (this.#context.whenUnresolved === 'passthrough') return { kind: 'foreign' };
    throw new ConnectionRefused('unresolved', `namerd did not say whose ${destination} is`);
  }

  /** Somebody inside the pod connected to the capture port itself. */
  #isOwn(ip: string, port: number): boolean {
    return (
      port === OUTBOUND_PORT && (this.#pod.who.ips.includes(ip) || ip === '::1' || ip.startsWith('127.'))
    );
  }
}

const NOTHING: Record<NoEndpoint, string> = {
  unbound: 'the name is bound to nothing (negative or failed by the dtab)',
  no_endpoints: 'the name is bound, but nothing is there',
  binding_failed: 'the replica set could not be found out',
  exhausted: 'every endpoint was tried',
};

function describe({ replica }: Endpoint, labels: FlowLabels): void {
  labels.destinationWorkload = replica.workload;
  labels.destinationIdentity = replica.identity;
}

function emptyLabels({ who }: LocalPod): FlowLabels {
  return {
    reporter: 'source',
    sourceWorkload: who.workload,
    sourceIdentity: who.identity,
    destinationWorkload: '',
    destinationIdentity: '',
    destinationService: '',
    security: '',
  };
}
