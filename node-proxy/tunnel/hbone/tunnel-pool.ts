/**
 * The tunnels of one pod, by peer. Never shared between pods: each tunnel proves its pod's identity. One
 * tunnel at a time is made per peer while others wait for it; a further one when all are full.
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
  tunnels: Tunnel[];
  making: Promise<Tunnel> | undefined;
  waiting: number;
}

export class TunnelPool {
  readonly #groups = new Map<string, Group>();
  readonly #limits: PoolLimits;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** All tunnels that are ready or draining. */
  get size(): number {
    let count = 0;
    for (const { tunnels } of this.#groups.values()) count += tunnels.length;
    return count;
  }

  /**
   * Opens a stream to a peer.
   * @param make starts a tunnel; its `onRetired` must call {@link TunnelPool.forget}.
   */
  async open(peer: string, headers: readonly Header[], make: () => Tunnel): Promise<StreamSide> {
    const { connectTimeoutMs } = this.#limits;
    for (let fresh = 0; ; fresh++) {
      const tunnel = this.#withRoom(peer) ?? (await this.#wait(peer, make));
      try {
        return await tunnel.open(headers, connectTimeoutMs);
      } catch (error) {
        // The peer said GOAWAY while we asked: nothing was processed, a fresh tunnel may do. Bounded, for a
        // peer that keeps saying so would otherwise turn one connection into an unbounded loop.
        const retry = error instanceof ConnectionRefused && error.reason === 'tunnel_gone' && fresh < 2;
        if (!retry) throw error;
      }
    }
  }

  forget(peer: string, tunnel: Tunnel): void {
    const group = this.#groups.get(peer);
    if (group === undefined) return;
    group.tunnels = group.tunnels.filter(other => other !== tunnel);
    if (group.tunnels.length === 0 && group.making === undefined) this.#groups.delete(peer);
  }

  /** Ends every tunnel: gracefully (streams finish) or at once. */
  close(graceful: boolean): void {
    for (const { tunnels } of [...this.#groups.values()]) {
      for (const tunnel of [...tunnels]) {
        if (graceful) tunnel.close();
        else tunnel.destroy();
      }
    }
  }

  #withRoom(peer: string): Tunnel | undefined {
    const tunnels = this.#groups.get(peer)?.tunnels;
    if (tunnels === undefined) return undefined;
    for (let i = 0; i < tunnels.length; i++) {
      const tunnel = tunnels[i] as Tunnel;
      if (tunnel.hasRoom) return tunnel;
    }
    return undefined;
  }

  async #wait(peer: string, make: () => Tunnel): Promise<Tunnel> {
    let group = this.#groups.get(peer);
    if (group === undefined) {
      group = { tunnels: [], making: undefined, waiting: 0 };
      this.#groups.set(peer, group);
    }
    if (group.waiting >= this.#limits.waiting) {
      throw new ConnectionRefused(
        'stream_limit',
        `${group.waiting} connections already wait for a tunnel to ${peer}`,
      );
    }
    group.waiting += 1;
    try {
      // Whoever waited may find the new tunnel full again: then the next one is made, up to the limit.
      for (;;) {
        await (group.making ?? this.#start(peer, group, make));
        const tunnel = group.tunnels.find(({ hasRoom }) => hasRoom);
        if (tunnel !== undefined) return tunnel;
        if (group.making === undefined && group.tunnels.length >= this.#limits.tunnelsPerPeer) {
          throw new ConnectionRefused(
            'stream_limit',
            `all ${group.tunnels.length} tunnels to ${peer} are full`,
          );
        }
      }
    } finally {
      group.waiting -= 1;
    }
  }

  async #start(peer: string, group: Group, make: () => Tunnel): Promise<Tunnel> {
    if (group.tunnels.length >= this.#limits.tunnelsPerPeer) {
      throw new ConnectionRefused('stream_limit', `all ${group.tunnels.length} tunnels to ${peer} are full`);
    }
    const starting = (async () => {
      const tunnel = make();
      await tunnel.opened(this.#limits.connectTimeoutMs);
      this.#groups.set(peer, group);
      group.tunnels.push(tunnel);
      return tunnel;
    })();
    group.making = starting;
    try {
      return await starting;
    } finally {
      group.making = undefined;
      if (group.tunnels.length === 0) this.#groups.delete(peer);
    }
  }
}
