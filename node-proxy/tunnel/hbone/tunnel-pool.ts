/**
 * The tunnels of one pod, by peer. Never shared between pods: each tunnel proves its pod's identity. One
 * tunnel at a time is made per peer while others wait for it; a further one when all are full. A place in a
 * tunnel is reserved the moment it is found, so that a crowd that waited together does not count on the same one.
 */

import type { Header } from '../../http2/index.ts';
import { ConnectionRefused } from '../failure.ts';
import type { StreamSide } from '../relay/side.ts';
import type { Tunnel } from './tunnel.ts';

export interface PoolLimits {
  tunnelsPerPeer: number;
  /** Connections that may wait for a tunnel to one peer. */
  waiting: number;
  connectTimeoutMs: number;
}

interface Group {
  /** Ready ones. */
  tunnels: Tunnel[];
  making: Promise<void> | undefined;
  waiting: number;
}

/** Times that a connection asks again after a GOAWAY: a peer that keeps saying so must not make a loop. */
const FRESH_TRIES = 2;

export class TunnelPool {
  readonly #groups = new Map<string, Group>();
  readonly #limits: PoolLimits;
  /** Every tunnel that is not closed: being made, ready or draining. */
  readonly #alive = new Set<Tunnel>();
  #closed = false;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** Tunnels that are being made, ready or draining. */
  get size(): number {
    return this.#alive.size;
  }

  /**
   * Opens a stream to a peer.
   * @param make starts a tunnel; `onRetired` of it must call {@link TunnelPool.forget}, `onClosed` {@link TunnelPool.closed}.
   */
  async open(peer: string, headers: readonly Header[], make: () => Tunnel): Promise<StreamSide> {
    for (let fresh = 0; ; fresh++) {
      const tunnel = this.#reserve(peer) ?? (await this.#wait(peer, make));
      try {
        return await tunnel.open(headers, this.#limits.connectTimeoutMs);
      } catch (error) {
        // The peer said GOAWAY while we asked: nothing was processed, a fresh tunnel may do.
        const goneMeanwhile = error instanceof ConnectionRefused && error.reason === 'tunnel_gone';
        if (!goneMeanwhile || fresh === FRESH_TRIES) throw error;
      }
    }
  }

  /** The tunnel takes no new streams. */
  forget(peer: string, tunnel: Tunnel): void {
    const group = this.#groups.get(peer);
    if (group === undefined) return;
    group.tunnels = group.tunnels.filter(other => other !== tunnel);
    this.#sweep(peer, group);
  }

  closed(tunnel: Tunnel): void {
    this.#alive.delete(tunnel);
  }

  /** Every tunnel is replaced by a new one on demand; open streams finish. For a new certificate. */
  retire(): void {
    for (const tunnel of [...this.#alive]) tunnel.close();
  }

  /** No tunnels any more, also none that is being made. */
  destroy(): void {
    this.#closed = true;
    for (const tunnel of [...this.#alive]) tunnel.destroy();
  }

  #reserve(peer: string): Tunnel | undefined {
    const tunnels = this.#groups.get(peer)?.tunnels;
    if (tunnels === undefined) return undefined;
    for (let i = 0; i < tunnels.length; i++) {
      const tunnel = tunnels[i] as Tunnel;
      if (!tunnel.hasRoom) continue;
      tunnel.reserve();
      return tunnel;
    }
    return undefined;
  }

  async #wait(peer: string, make: () => Tunnel): Promise<Tunnel> {
    const group = this.#group(peer);
    if (group.waiting >= this.#limits.waiting) {
      throw new ConnectionRefused(
        'stream_limit',
        `${group.waiting} connections already wait for a tunnel to ${peer}`,
      );
    }
    group.waiting += 1;
    try {
      for (;;) {
        // Whoever waited may find the new tunnel full again: then the next one is made, up to the limit.
        group.making ??= this.#start(group, make);
        await group.making;
        const tunnel = this.#reserve(peer);
        if (tunnel !== undefined) return tunnel;
      }
    } finally {
      group.waiting -= 1;
      this.#sweep(peer, group);
    }
  }

  /** The group is told afterwards, never before it knows: a making that fails at once must not stay. */
  #start(group: Group, make: () => Tunnel): Promise<void> {
    return this.#make(group, make).finally(() => {
      group.making = undefined;
    });
  }

  async #make(group: Group, make: () => Tunnel): Promise<void> {
    const { tunnelsPerPeer, connectTimeoutMs } = this.#limits;
    if (this.#closed) throw new ConnectionRefused('unenrolled', 'the pod has left the mesh');
    if (group.tunnels.length >= tunnelsPerPeer) {
      throw new ConnectionRefused('stream_limit', `all ${tunnelsPerPeer} tunnels to the peer are full`);
    }
    const tunnel = make();
    this.#alive.add(tunnel);
    await tunnel.opened(connectTimeoutMs);
    group.tunnels.push(tunnel);
  }

  #group(peer: string): Group {
    let group = this.#groups.get(peer);
    if (group === undefined) {
      group = { tunnels: [], making: undefined, waiting: 0 };
      this.#groups.set(peer, group);
    }
    return group;
  }

  #sweep(peer: string, group: Group): void {
    if (group.tunnels.length > 0 || group.waiting > 0 || group.making !== undefined) return;
    if (this.#groups.get(peer) === group) this.#groups.delete(peer);
  }
}
