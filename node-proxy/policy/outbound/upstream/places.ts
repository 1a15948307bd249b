/**
 * Places for connections to a bound service (`limits.connections`), over all pods of the worker. Who finds none waits
 * (`limits.pendingRequests`) for a connection that is given back, or for the place of one that ends; in turn.
 */

import type { ServiceClient } from '../../../balance/index.ts';
import type { H1Upstream } from '../../h1/upstream-connection.ts';
import { HttpRefusal } from '../../reply/index.ts';

/** A place for a new connection, or a connection that is free. */
export type Granted = H1Upstream | 'place';

interface Waiting {
  /** Whose connections will do. */
  upstream: object;
  grant(granted: Granted): void;
}

const byClient = new WeakMap<ServiceClient, Places>();

export class Places {
  readonly #client: ServiceClient;
  readonly #waiting: Waiting[] = [];

  private constructor(client: ServiceClient) {
    this.#client = client;
  }

  static of(client: ServiceClient): Places {
    let places = byClient.get(client);
    if (places === undefined) byClient.set(client, (places = new Places(client)));
    return places;
  }

  /** @throws HttpRefusal when there are as many waiting as may. */
  take(upstream: object): 'place' | Promise<Granted> {
    const client = this.#client;
    if (this.#waiting.length === 0 && client.connect()) return 'place';
    if (!client.wait())
      throw new HttpRefusal('overloaded', `${client.pending} requests wait for a connection to ${client.id}`);
    return new Promise(resolve => {
      this.#waiting.push({
        upstream,
        grant: granted => {
          client.waited();
          resolve(granted);
        },
      });
    });
  }

  /** A connection is free. @returns true when it is somebody's already, or had to make room for somebody. */
  offer(connection: H1Upstream, upstream: object): boolean {
    if (this.#waiting.length === 0) return false;
    const next = this.#waiting.findIndex(waiting => waiting.upstream === upstream);
    const [waiting] = next < 0 ? [] : this.#waiting.splice(next, 1);
    // Those who wait want other endpoints: its place is worth more to them.
    if (waiting === undefined) connection.destroy();
    else waiting.grant(connection);
    return true;
  }

  /** A connection has ended, or came to nothing. */
  freed(): void {
    this.#client.disconnected();
    while (this.#waiting.length > 0 && this.#client.connect()) this.#waiting.shift()?.grant('place');
  }
}
