/**
 * The doors of one pod: outbound, plaintext inbound and HBONE inbound. A tunnel worker listens at them, on
 * descriptors that were opened inside the pod's netns; a policy worker is handed connections that came there.
 * Where the pod has no certificate yet, HBONE connections wait in the kernel's queue.
 */

import { createServer, type Server, type ServerOpts, type Socket } from 'node:net';
import { closeFd } from '../kernel/index.ts';
import { LISTENER_OPTIONS } from './accept.ts';
import type { WorkerContext } from './context.ts';
import { inboundLabels } from './hbone/inbound-tunnel.ts';
import { HboneServer } from './hbone/server.ts';
import { PlainInbound } from './inbound/plain.ts';
import { AcceptedSocket, HandedSocket, type Incoming } from './incoming.ts';
import type { HandedConnection } from './layer7.ts';
import type { LocalPod } from './local-pod.ts';
import { Outbound } from './outbound.ts';

/** Descriptors of listening sockets; owned by PodDoors once given to it. */
export interface ListenerFds {
  outbound: number;
  plain: number;
  hbone: number;
}

const BACKLOG = 4096;
const TUNNEL_OPTIONS: ServerOpts = { pauseOnConnect: true, noDelay: true };

export class PodDoors {
  readonly pod: LocalPod;
  readonly #context: WorkerContext;
  readonly #outbound: Outbound;
  readonly #plain: PlainInbound;
  #hbone: HboneServer | undefined;
  readonly #listening: Server[] = [];
  /** Waits for a certificate. */
  #hboneFd = -1;
  #draining = false;

  constructor(pod: LocalPod, context: WorkerContext) {
    this.pod = pod;
    this.#context = context;
    this.#outbound = new Outbound(pod, context);
    this.#plain = new PlainInbound(pod, context);
    this.credentialChanged(false);
  }

  /** Accepts at all three doors. */
  listen(fds: ListenerFds): void {
    this.#listen(fds.outbound, LISTENER_OPTIONS, incoming => void this.#outbound.receive(incoming));
    this.#listen(fds.plain, LISTENER_OPTIONS, incoming => void this.#plain.receive(incoming));
    this.#hboneFd = fds.hbone;
    this.#listenForTunnels();
  }

  /** Takes a connection that another thread accepted, with its descriptor. */
  take(fd: number, connection: HandedConnection): void {
    const incoming = new HandedSocket(fd, connection);
    if (connection.door === 'outbound') void this.#outbound.receive(incoming);
    else if (connection.door === 'plain') void this.#plain.receive(incoming);
    else this.#tunnelFrom(incoming);
  }

  /** Tunnels of this pod, both directions. */
  get tunnels(): { outbound: number; inbound: number } {
    return { outbound: this.#outbound.connector.pool.size, inbound: this.#hbone?.tunnels ?? 0 };
  }

  /**
   * A new certificate or new roots: counts for new handshakes. Open streams finish in the tunnels that they are
   * in; new ones go through tunnels that prove themselves anew.
   */
  credentialChanged(rootsChanged: boolean): void {
    if (this.#draining) return;
    const material = this.#context.credentials.server(this.pod.who.identity);
    if (material === undefined) return;
    this.#outbound.connector.pool.retire();
    if (this.#hbone !== undefined) return this.#hbone.renew(material, rootsChanged);
    this.#hbone = new HboneServer(this.pod, this.#context, material);
    this.#listenForTunnels();
  }

  /** The pod asks for HTTP now, or no longer: peers make their tunnels anew, to who is in charge. */
  httpChanged(): void {
    this.#hbone?.drainTunnels();
  }

  /** No new connections; tunnels are told (GOAWAY); what is open goes on. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const server of this.#listening) server.close();
    if (this.#hboneFd >= 0) closeFd(this.#hboneFd);
    this.#hboneFd = -1;
    this.#hbone?.drain();
    this.#outbound.connector.pool.retire();
  }

  /** Ends everything at once. */
  destroy(reason: 'unenrolled' | 'draining'): void {
    this.drain();
    this.pod.breakOff(reason);
    this.#outbound.connector.pool.destroy();
    this.#hbone?.destroy();
  }

  #listenForTunnels(): void {
    if (this.#hbone === undefined || this.#hboneFd < 0) return;
    this.#listen(this.#hboneFd, TUNNEL_OPTIONS, incoming => this.#tunnelFrom(incoming));
    this.#hboneFd = -1;
  }

  #listen(fd: number, options: ServerOpts, receive: (incoming: Incoming) => void): void {
    const server = createServer(options, (socket: Socket) => receive(new AcceptedSocket(socket)));
    server.listen({ fd, backlog: BACKLOG });
    this.#listening.push(server);
  }

  /** Before the handshake: what TLS has read, no other thread could read again. */
  #tunnelFrom(incoming: Incoming): void {
    const { handOver, edges } = this.#context;
    if (this.pod.http !== undefined && handOver !== undefined)
      return incoming.handOver(handOver, 'hbone', this.pod.who.id);
    if (this.#hbone !== undefined) return this.#hbone.receive(incoming.open());
    edges.refused(inboundLabels(this.pod, '', ''), 'no_certificate');
    incoming.reset();
  }
}
