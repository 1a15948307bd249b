/**
 * Places for connections to a bound service (`limits.connections`), over all pods of the worker. Who finds none waits
 * (`limits.pendingRequests`) for a connection that is given back, or for the place of one that ends; in turn. HTTP/2
 * waits for room on connections that are open (`h2/upstream-pool.ts`), and is refused where there is none.
 *
 * Invariants: nobody waits for the place of a connection that is not used; whoever has given up keeps no turn.
 */

import type { ServiceClient } from '../../../balance/index.ts';
import type { H1Upstream } from '../../h1/upstream-connection.ts';
import { HttpRefusal } from '../../reply/index.ts';

/** A place for a new connection, or a connection that is free. */
export type Granted = H1Upstream | 'place';

/** Whoever has connections in these places. */
export interface Tenant {
  /** Since when its longest unused connection has not been used, monotonic milliseconds; Infinity: all are in use. */
  readonly unusedSinceMs: number;
  /** Ends that connection, at once. */
  giveUpUnused(): void;
}

interface Waiting {
  /** Whose connections will do. */
  tenant: Tenant;
  wanted: () => boolean;
  grant(granted: Granted): void;
  refuse(refusal: HttpRefusal): void;
}

const TIDY_AT = 64;
/** A connection of one's own is worth more than a new one: so often others may go before the first. */
const PASSED_AT_MOST = 16;

const byClient = new WeakMap<ServiceClient, Places>();

export class Places {
  readonly #client: ServiceClient;
  readonly #tenants = new Set<Tenant>();
  readonly #waiting: Waiting[] = [];
  /** When so many wait, it is time to see who has given up. */
  #tidyAt = TIDY_AT;
  /** How often others were given what the first could not use. */
  #passed = 0;

  private constructor(client: ServiceClient) {
    this.#client = client;
  }

  static of(client: ServiceClient): Places {
    let places = byClient.get(client);
    if (places === undefined) byClient.set(client, (places = new Places(client)));
    return places;
  }

  join(tenant: Tenant): void {
    this.#tenants.add(tenant);
  }

  leave(tenant: Tenant): void {
    this.#tenants.delete(tenant);
  }

  /** A place for a connection, if there is one, or one that is not used makes room. */
  takeNow(): boolean {
    while (!this.#client.connect()) if (!this.#makeRoom()) return false;
    return true;
  }

  /**
   * @param wanted whether it is still waited for.
   * @throws HttpRefusal when there are as many waiting as may.
   */
  take(tenant: Tenant, wanted: () => boolean): 'place' | Promise<Granted> {
    const client = this.#client;
    // The limit may be higher now than when they came.
    this.#serve();
    if (this.#waiting.length === 0 && this.takeNow()) return 'place';
    if (!this.wait())
      throw new HttpRefusal('overloaded', `${client.pending} requests wait for a connection to ${client.id}`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tenant, wanted, grant: resolve, refuse: reject });
    });
  }

  /** A turn for somebody who waits elsewhere. @returns false when there are as many waiting as may. */
  wait(): boolean {
    const client = this.#client;
    // Where any number may wait, nothing but this ends the turns of those who have given up.
    if (this.#waiting.length >= this.#tidyAt) this.#dropUnwanted();
    if (client.wait()) return true;
    this.#dropUnwanted();
    return client.wait();
  }

  /** A connection is free. @returns true when it is somebody's already, or had to make room for somebody. */
  offer(connection: H1Upstream, tenant: Tenant): boolean {
    const waiting = this.#waiting;
    if (waiting.length === 0) return false;
    for (let at = next(waiting, tenant); at >= 0; at = next(waiting, tenant)) {
      if (at > 0 && this.#passed >= PASSED_AT_MOST) break;
      const [first] = waiting.splice(at, 1) as [Waiting];
      if (!this.#settle(first, connection)) continue;
      this.#passed = at > 0 ? this.#passed + 1 : 0;
      return true;
    }
    this.#passed = 0;
    // Those who wait first want other endpoints: its place is worth more to them.
    const others = waiting.some(({ wanted }) => wanted());
    if (others) connection.destroy();
    return others;
  }

  /** A connection has ended, or came to nothing. */
  freed(): void {
    this.#client.disconnected();
    this.#serve();
  }

  /** Places to those who wait, in turn, as far as there are any. */
  #serve(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.wanted() && !this.#client.connect()) return;
      this.#waiting.shift();
      this.#passed = 0;
      this.#settle(first, 'place');
    }
  }

  /** @returns whether it was still wanted. */
  #settle({ wanted, grant, refuse }: Waiting, granted: Granted): boolean {
    this.#client.waited();
    if (wanted()) {
      grant(granted);
      return true;
    }
    refuse(new HttpRefusal('connect_failed', 'nobody waits for it any more'));
    return false;
  }

  #dropUnwanted(): void {
    const waiting = this.#waiting.splice(0);
    for (const each of waiting) {
      if (each.wanted()) this.#waiting.push(each);
      else this.#settle(each, 'place');
    }
    this.#tidyAt = Math.max(2 * this.#waiting.length, TIDY_AT);
  }

  /** @returns whether a connection was ended. */
  #makeRoom(): boolean {
    let oldest: Tenant | undefined;
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const tenant of this.#tenants) {
      const { unusedSinceMs } = tenant;
      if (unusedSinceMs >= sinceMs) continue;
      oldest = tenant;
      sinceMs = unusedSinceMs;
    }
    oldest?.giveUpUnused();
    return oldest !== undefined;
  }
}

function next(waiting: readonly Waiting[], tenant: Tenant): number {
  return waiting.findIndex(each => each.tenant === tenant);
}
