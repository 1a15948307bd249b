/**
 * Port 15008: tunnels from other nodes. TLS with the certificate of the pod whose netns accepted, HTTP/2, one
 * CONNECT per connection; 200 only when the application has accepted.
 */

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '#base/clock.ts';
import { canonicalIp, formatEndpoint } from '#base/net.ts';
import { spiffeOf, tryParseSpiffe } from '#trust';
import {
  type ConnectionEvents,
  H2Connection,
  type H2Stream,
  type Header,
  type StreamEvents,
} from '../../http2/index.ts';
import { admit } from '../accept.ts';
import type { WorkerContext } from '../context.ts';
import { ConnectionRefused, type Reason, refusalOf } from '../failure.ts';
import { enter } from '../inbound.ts';
import type { LocalPod } from '../local-pod.ts';
import { Connection } from '../relay/connection.ts';
import type { FlowLabels } from '../relay/flow.ts';
import { StreamSide } from '../relay/side.ts';
import type { ServerMaterial } from './credentials.ts';
import { bindTransport } from './tls-transport.ts';
import {
  H2_SETTINGS,
  PING_EVERY_MS,
  PONG_WITHIN_MS,
  parseAuthority,
  TLS_OPTIONS,
  workloadOfBaggage,
} from './wire.ts';

export class HboneServer {
  readonly server: Server;
  readonly #tunnels = new Set<InboundTunnel>();

  constructor(pod: LocalPod, context: WorkerContext, material: ServerMaterial) {
    const { minVersion, maxVersion, ciphers, ecdhCurve, ALPNProtocols } = TLS_OPTIONS;
    this.server = createServer({
      ...material,
      minVersion,
      maxVersion,
      ciphers,
      ecdhCurve,
      ALPNProtocols: [...ALPNProtocols],
      requestCert: true,
      // We refuse ourselves, in #accept: Node would close without telling us, and nobody could say why.
      rejectUnauthorized: false,
      handshakeTimeout: context.limits.handshakeTimeoutMs,
      noDelay: true,
    });
    // Half handshakes must not pile up behind their deadline. Each connection ends in exactly one of
    // 'secureConnection' and 'tlsClientError', also when it is cut or times out.
    let handshakes = 0;
    this.server.on('connection', (socket: Socket) => {
      handshakes += 1;
      if (handshakes <= context.limits.handshakesPerPod) return;
      this.#refuse(pod, context, 'connection_limit');
      socket.resetAndDestroy();
    });
    this.server.on('tlsClientError', (_error: Error, tls: TLSSocket) => {
      handshakes -= 1;
      // Node only announces a handshake's time-out and leaves the socket open.
      tls.destroy();
      this.#refuse(pod, context, 'tls_failure');
    });
    this.server.on('secureConnection', (tls: TLSSocket) => {
      handshakes -= 1;
      this.#accept(tls, pod, context);
    });
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  /** New handshakes use it; open tunnels stay. */
  renew(material: ServerMaterial): void {
    const { minVersion, maxVersion, ciphers, ecdhCurve } = TLS_OPTIONS;
    this.server.setSecureContext({
      ...material,
      minVersion,
      maxVersion,
      ciphers,
      ecdhCurve,
    } as ServerMaterial);
  }

  /** GOAWAY on every tunnel: streams finish, new ones go elsewhere. */
  drain(): void {
    for (const tunnel of this.#tunnels) tunnel.drain();
  }

  destroy(): void {
    for (const tunnel of [...this.#tunnels]) tunnel.destroy();
  }

  #accept(tls: TLSSocket, pod: LocalPod, context: WorkerContext): void {
    if (!tls.authorized) {
      this.#refuse(pod, context, 'tls_failure');
      tls.destroy();
      return;
    }
    const certificate = tls.getPeerX509Certificate();
    const identity = certificate === undefined ? undefined : tryParseSpiffe(spiffeOf(certificate) ?? '');
    // The chain was checked by TLS; that it is *our* trust domain and a workload, only we can check.
    if (identity?.kind !== 'workload' || identity.trustDomain !== context.credentials.trustDomain) {
      this.#refuse(pod, context, 'wrong_identity');
      tls.destroy();
      return;
    }
    if (tls.alpnProtocol !== 'h2') {
      this.#refuse(pod, context, 'tls_failure');
      tls.destroy();
      return;
    }
    const tunnel = new InboundTunnel(tls, identity.text, identity.namespace, pod, context, () => {
      this.#tunnels.delete(tunnel);
    });
    this.#tunnels.add(tunnel);
    if (context.draining) tunnel.drain();
  }

  #refuse(pod: LocalPod, context: WorkerContext, reason: Reason): void {
    context.edges.refused(labelsOf(pod, '', ''), reason);
  }
}

class InboundTunnel implements ConnectionEvents {
  readonly #connection: H2Connection;
  readonly #tls: TLSSocket;
  readonly #pod: LocalPod;
  readonly #context: WorkerContext;
  readonly #identity: string;
  readonly #namespace: string;
  readonly #sourceIp: string;
  readonly #localIp: string;
  readonly #onClosed: () => void;
  readonly #ping: Timer;
  #deadline: Timer | undefined;
  #pongDue: Timer | undefined;

  constructor(
    tls: TLSSocket,
    identity: string,
    namespace: string,
    pod: LocalPod,
    context: WorkerContext,
    onClosed: () => void,
  ) {
    this.#tls = tls;
    this.#pod = pod;
    this.#context = context;
    this.#identity = identity;
    this.#namespace = namespace;
    this.#onClosed = onClosed;
    this.#sourceIp = canonicalIp(tls.remoteAddress ?? '') ?? '';
    this.#localIp = canonicalIp(tls.localAddress ?? '') ?? '';
    const clock: Clock = context.clock;
    this.#deadline = clock.after(context.limits.handshakeTimeoutMs, () => this.destroy());
    this.#ping = clock.every(PING_EVERY_MS, () => {
      this.#connection.ping();
      this.#pongDue ??= clock.after(PONG_WITHIN_MS, () => this.destroy());
    });
    tls.on('error', () => this.onClosed());
    tls.on('close', () => this.onClosed());
    this.#connection = bindTransport(
      tls,
      transport => new H2Connection({ role: 'server', transport, events: this, ...H2_SETTINGS }),
    );
  }

  drain(): void {
    this.#connection.goaway();
  }

  destroy(): void {
    this.#connection.destroy();
    this.#tls.destroy();
  }

  onReady(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }

  onPong(): void {
    this.#pongDue?.cancel();
    this.#pongDue = undefined;
  }

  onGoaway(): void {
    // The client opens no more streams; the open ones finish.
  }

  onClosed(): void {
    this.#deadline?.cancel();
    this.#pongDue?.cancel();
    this.#ping.cancel();
    this.#onClosed();
    this.#tls.destroy();
  }

  onStream(stream: H2Stream, headers: readonly Header[], endStream: boolean): StreamEvents {
    const side = new StreamSide(stream);
    void this.#connect(stream, side, headers, endStream);
    return side;
  }

  async #connect(
    stream: H2Stream,
    side: StreamSide,
    headers: readonly Header[],
    endStream: boolean,
  ): Promise<void> {
    const pod = this.#pod;
    const context = this.#context;
    const authority = headerOf(headers, ':authority');
    const connection = new Connection(context, {
      direction: 'inbound',
      pod,
      source: formatEndpoint(this.#sourceIp, this.#tls.remotePort ?? 0),
      destination: authority,
    });
    const workload = workloadOfBaggage(headerOf(headers, 'baggage'));
    // The identity is proven, the workload's name is only claimed: it must at least be of that namespace.
    const claimed = workload.startsWith(`${this.#namespace}/`) ? workload : '';
    const labels = labelsOf(pod, this.#identity, claimed);
    try {
      admit(pod, context);
      const port = this.#targetPort(headers, authority, endStream);
      connection.attempts = 1;
      const caller = { identity: this.#identity, namespace: this.#namespace, ip: this.#sourceIp };
      const app = await enter(pod, caller, this.#localIp, port, connection, context.limits.connectTimeoutMs);
      if (stream.closed) {
        app.reset();
        throw new ConnectionRefused('tunnel_gone', 'the client gave up while the application was connected');
      }
      stream.respond(OK);
      connection.establish(side, app, labels);
    } catch (error) {
      const refusal = refusalOf(error, 'inbound');
      connection.refused(refusal, labels);
      if (!stream.closed) stream.respond([[':status', STATUS[refusal.reason] ?? '503']], true);
    }
  }

  /** The target is always this pod, on the address the tunnel came to; the authority chooses only the port. */
  #targetPort(headers: readonly Header[], authority: string, endStream: boolean): number {
    if (headerOf(headers, ':method') !== 'CONNECT' || endStream) {
      throw new ConnectionRefused('bad_request', 'only CONNECT is understood here');
    }
    const target = parseAuthority(authority);
    if (target === undefined)
      throw new ConnectionRefused('bad_request', `'${authority}' is not ip:port or host:port`);
    if (target.ip !== undefined && target.ip !== this.#localIp) {
      throw new ConnectionRefused('bad_request', `${authority} is not an address of this pod`);
    }
    return target.port;
  }
}

const OK: readonly Header[] = [[':status', '200']];

/** ambient.md §1.1: 400 malformed, 401 refused by policy, 503 no application. */
const STATUS: Partial<Record<Reason, string>> = {
  bad_request: '400',
  loop: '400',
  policy: '401',
  plaintext_refused: '401',
};

function headerOf(headers: readonly Header[], name: string): string {
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i] as Header;
    if (header[0] === name) return header[1];
  }
  return '';
}

function labelsOf(pod: LocalPod, sourceIdentity: string, sourceWorkload: string): FlowLabels {
  return {
    reporter: 'destination',
    sourceWorkload,
    sourceIdentity,
    destinationWorkload: pod.who.workload,
    destinationIdentity: pod.who.identity,
    destinationService: '',
    security: 'mutual_tls',
  };
}
