/**
 * HBONE, server side: TLS with the certificate of the pod whose netns accepted, the peer's identity checked; then it is
 * an InboundTunnel's.
 */

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { spiffeOf, tryParseSpiffe } from '#trust';
import type { WorkerContext } from '../context.ts';
import type { Reason } from '../failure.ts';
import type { LocalPod } from '../local-pod.ts';
import type { ServerMaterial } from './credentials.ts';
import { InboundTunnel, inboundLabels } from './inbound-tunnel.ts';
import { TLS_OPTIONS } from './wire.ts';

const { minVersion, maxVersion, ciphers, ecdhCurve, ALPNProtocols } = TLS_OPTIONS;

export class HboneServer {
  /** Listens on nothing: who has a connection gives it to {@link HboneServer.receive}. */
  readonly #server: Server;
  readonly #pod: LocalPod;
  readonly #context: WorkerContext;
  readonly #tunnels = new Set<InboundTunnel>();
  /** Handshakes under way: `ip port` → ip, and how many each address has. */
  readonly #handshakes = new Map<string, string>();
  readonly #bySource = new Map<string, number>();
  #closed = false;
  #draining = false;

  constructor(pod: LocalPod, context: WorkerContext, material: ServerMaterial) {
    this.#pod = pod;
    this.#context = context;
    this.#server = createServer({
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
    this.#server.on('secureConnection', (tls: TLSSocket) => this.#accept(tls));
    this.#server.on('tlsClientError', (_error: Error, tls: TLSSocket) => {
      this.#refuse('tls_failure');
      // Node only announces a handshake's time-out and leaves the socket open.
      tls.destroy();
    });
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  /** New handshakes use it. Tunnels are renewed too: their streams finish, new ones need the new roots. */
  renew(material: ServerMaterial, rootsChanged: boolean): void {
    const context = { ...material, minVersion, maxVersion, ciphers, ecdhCurve };
    this.#server.setSecureContext(context as ServerMaterial);
    if (rootsChanged) this.drainTunnels();
  }

  /** GOAWAY on every tunnel there is; new ones may come. */
  drainTunnels(): void {
    for (const tunnel of this.#tunnels) tunnel.drain();
  }

  /** GOAWAY on every tunnel: streams finish, new ones go elsewhere. */
  drain(): void {
    this.#draining = true;
    this.drainTunnels();
  }

  destroy(): void {
    this.#closed = true;
    for (const tunnel of [...this.#tunnels]) tunnel.destroy();
  }

  /** Half handshakes must not pile up behind their deadline, and one address must not take all places. */
  receive(socket: Socket): void {
    const { handshakesPerPod } = this.#context.limits;
    const ip = socket.remoteAddress ?? '';
    const key = `${ip} ${socket.remotePort}`;
    this.#handshakes.set(key, ip);
    const ofThis = (this.#bySource.get(ip) ?? 0) + 1;
    this.#bySource.set(ip, ofThis);
    socket.once('close', () => this.#handshakeOver(key));
    const fair = ofThis <= Math.ceil(handshakesPerPod / 4);
    if (
      fair &&
      this.#handshakes.size <= handshakesPerPod &&
      this.#tunnels.size < this.#context.limits.inboundTunnelsPerPod
    ) {
      this.#server.emit('connection', socket);
      return;
    }
    this.#refuse('connection_limit');
    socket.resetAndDestroy();
  }

  #handshakeOver(key: string): void {
    const ip = this.#handshakes.get(key);
    if (ip === undefined) return;
    this.#handshakes.delete(key);
    const left = (this.#bySource.get(ip) ?? 1) - 1;
    if (left > 0) this.#bySource.set(ip, left);
    else this.#bySource.delete(ip);
  }

  #accept(tls: TLSSocket): void {
    this.#handshakeOver(`${tls.remoteAddress} ${tls.remotePort}`);
    const certificate =
      tls.authorized && tls.alpnProtocol === 'h2' ? tls.getPeerX509Certificate() : undefined;
    if (certificate === undefined || this.#closed) return this.#reject(tls, 'tls_failure');
    // The chain was checked by TLS; that it is a workload of our trust domain, only we can check.
    const peer = tryParseSpiffe(spiffeOf(certificate) ?? '');
    if (peer?.kind !== 'workload' || peer.trustDomain !== this.#context.credentials.trustDomain) {
      return this.#reject(tls, 'wrong_identity');
    }
    const tunnel = new InboundTunnel({
      tls,
      identity: peer.text,
      namespace: peer.namespace,
      notAfterMs: certificate.validToDate.getTime(),
      pod: this.#pod,
      context: this.#context,
      onClosed: () => this.#tunnels.delete(tunnel),
    });
    this.#tunnels.add(tunnel);
    if (this.#draining) tunnel.drain();
  }

  #reject(tls: TLSSocket, reason: Reason): void {
    this.#refuse(reason);
    tls.destroy();
  }

  #refuse(reason: Reason): void {
    this.#context.edges.refused(inboundLabels(this.#pod, '', ''), reason);
  }
}
