/**
 * The listeners of one pod: outbound, plaintext inbound and HBONE inbound, on descriptors that were opened
 * inside its netns. Where the pod has no certificate yet, HBONE connections wait in the kernel's queue.
 */

import type { Server } from 'node:net';
import { closeFd } from '../kernel/index.ts';
import type { WorkerContext } from './context.ts';
import { HboneServer } from './hbone/server.ts';
import { servePlain } from './inbound/plain.ts';
import type { LocalPod } from './local-pod.ts';
import { OutboundServer } from './outbound.ts';

/** Descriptors of listening sockets; owned by PodListeners once given to it. */
export interface ListenerFds {
  outbound: number;
  plain: number;
  hbone: number;
}

const BACKLOG = 4096;

export class PodListeners {
  readonly pod: LocalPod;
  readonly #context: WorkerContext;
  readonly #outbound: OutboundServer;
  readonly #plain: Server;
  #hbone: HboneServer | undefined;
  #hboneFd: number;
  #draining = false;

  constructor(pod: LocalPod, fds: ListenerFds, context: WorkerContext) {
    this.pod = pod;
    this.#context = context;
    this.#hboneFd = fds.hbone;
    this.#outbound = new OutboundServer(pod, context);
    this.#outbound.server.listen({ fd: fds.outbound, backlog: BACKLOG });
    this.#plain = servePlain(pod, context);
    this.#plain.listen({ fd: fds.plain, backlog: BACKLOG });
    this.credentialChanged(false);
  }

  /** Tunnels of this pod, both directions. */
  get tunnels(): { outbound: number; inbound: number } {
    return { outbound: this.#outbound.pool.size, inbound: this.#hbone?.tunnels ?? 0 };
  }

  /**
   * A new certificate or new roots: counts for new handshakes. Open streams finish in the tunnels that they are
   * in; new ones go through tunnels that prove themselves anew.
   */
  credentialChanged(rootsChanged: boolean): void {
    if (this.#draining) return;
    const material = this.#context.credentials.server(this.pod.who.identity);
    if (material === undefined) return;
    this.#outbound.pool.retire();
    if (this.#hbone !== undefined) return this.#hbone.renew(material, rootsChanged);
    this.#hbone = new HboneServer(this.pod, this.#context, material);
    this.#hbone.server.listen({ fd: this.#hboneFd, backlog: BACKLOG });
    this.#hboneFd = -1;
  }

  /** No new connections; tunnels are told (GOAWAY); what is open goes on. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#outbound.server.close();
    this.#plain.close();
    this.#hbone?.server.close();
    if (this.#hboneFd >= 0) closeFd(this.#hboneFd);
    this.#hboneFd = -1;
    this.#hbone?.drain();
    this.#outbound.pool.retire();
  }

  /** Ends everything at once. */
  destroy(reason: 'unenrolled' | 'draining'): void {
    this.drain();
    this.pod.breakOff(reason);
    this.#outbound.pool.destroy();
    this.#hbone?.destroy();
  }
}
