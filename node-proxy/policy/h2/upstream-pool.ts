/**
 * The HTTP/2 connections to one upstream. Streams share them; another one is made when all are full, never two at
 * once: who comes meanwhile waits, as many as the upstream lets wait.
 *
 * Invariant: somebody waits only while a connection is being made or all that exist are full.
 */

import { HttpRefusal } from '../reply/index.ts';
import type { Wire } from '../wire/wire.ts';
import { H2Upstream, type UpstreamOwner, type UpstreamTimes } from './upstream-connection.ts';

/** A request that waits for a connection. */
export interface Waiter {
  connected(connection: H2Upstream): void;
  unconnected(refusal: HttpRefusal): void;
}

/** What the pool needs of its upstream. */
export interface Reachable {
  readonly address: string;
  /** @throws HttpRefusal */
  connect(): Promise<{ wire: Wire; closed: () => void }>;
  /** A place among those who wait for a connection. @returns false at the limit. */
  wait(): boolean;
  waited(): void;
}

export class H2Pool implements UpstreamOwner {
  readonly #upstream: Reachable;
  readonly #streams: number;
  readonly #times: UpstreamTimes;
  /** Those that take streams; the first that has room is used, so that others can fall idle. */
  readonly #open: H2Upstream[] = [];
  /** All, with what to call when they are gone. */
  readonly #all = new Map<H2Upstream, () => void>();
  readonly #waiting = new Set<Waiter>();
  #connecting = false;
  #opening: H2Upstream | undefined;
  #destroyed = false;

  /** @param streams at once on one connection. */
  constructor(upstream: Reachable, streams: number, times: UpstreamTimes) {
    this.#upstream = upstream;
    this.#streams = streams;
    this.#times = times;
  }

  /** Connections, however far they have come. */
  get size(): number {
    return this.#all.size;
  }

  /** A connection that takes another stream now. */
  take(): H2Upstream | undefined {
    for (const connection of this.#open) if (connection.roomy) return connection;
    return undefined;
  }

  /** @returns why it is no use waiting. */
  wait(waiter: Waiter): HttpRefusal | undefined {
    if (this.#destroyed) return new HttpRefusal('connect_failed', `${this.#upstream.address} was given up`);
    if (!this.#upstream.wait())
      return new HttpRefusal(
        'overloaded',
        `too many requests wait for a connection to ${this.#upstream.address}`,
      );
    this.#waiting.add(waiter);
    this.#connect();
    return undefined;
  }

  /** Does not wait any more. */
  leave(waiter: Waiter): void {
    if (this.#waiting.delete(waiter)) this.#upstream.waited();
  }

  /** A stream has ended. */
  freed(): void {
    if (this.#waiting.size > 0) this.#serve();
  }

  /** @param draining connections without streams are not kept. */
  sweep(nowMs: number, draining = false): void {
    const times = draining ? { ...this.#times, idleMs: 0 } : this.#times;
    for (const connection of [...this.#all.keys()]) connection.sweep(nowMs, times);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#refuse(new HttpRefusal('connect_failed', `${this.#upstream.address} was given up`));
    for (const connection of [...this.#all.keys()]) connection.destroy();
  }

  // === Its connections ===

  ready(): void {
    this.#connecting = false;
    if (this.#opening !== undefined) this.#open.push(this.#opening);
    this.#opening = undefined;
    this.#serve();
  }

  retired(connection: H2Upstream, refusal: HttpRefusal | undefined): void {
    const at = this.#open.indexOf(connection);
    if (at >= 0) this.#open.splice(at, 1);
    if (this.#opening === connection) {
      this.#opening = undefined;
      this.#connecting = false;
    }
    if (refusal !== undefined) this.#failed(refusal);
    else if (this.#waiting.size > 0) this.#serve();
  }

  gone(connection: H2Upstream): void {
    const closed = this.#all.get(connection);
    this.#all.delete(connection);
    closed?.();
  }

  #serve(): void {
    for (const waiter of this.#waiting) {
      const connection = this.take();
      if (connection === undefined) return this.#connect();
      this.leave(waiter);
      waiter.connected(connection);
    }
  }

  #connect(): void {
    if (this.#connecting || this.#destroyed) return;
    this.#connecting = true;
    void this.#dial();
  }

  async #dial(): Promise<void> {
    const upstream = this.#upstream;
    let made: Awaited<ReturnType<Reachable['connect']>>;
    try {
      made = await upstream.connect();
    } catch (error) {
      this.#connecting = false;
      return this.#failed(HttpRefusal.of(error));
    }
    if (this.#destroyed) {
      made.wire.reset();
      return made.closed();
    }
    const connection = new H2Upstream(made.wire, upstream.address, this.#streams, this);
    this.#all.set(connection, made.closed);
    this.#opening = connection;
    connection.start();
  }

  #failed(refusal: HttpRefusal): void {
    // At the limit of connections: those that exist will have room again.
    if (refusal.reason === 'overloaded' && this.#open.length > 0) return;
    this.#refuse(refusal);
  }

  #refuse(refusal: HttpRefusal): void {
    for (const waiter of [...this.#waiting]) {
      this.leave(waiter);
      waiter.unconnected(refusal);
    }
  }
}
