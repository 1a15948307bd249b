/**
 * How connections to an endpoint were made: in plaintext, through a tunnel to somebody, or within the node. When it is
 * to be reached another way, they finish what they have and take nothing new, however busy they are: a server that joins
 * the mesh gets no more plaintext, and one that leaves is not held up.
 */

import type { Endpoint } from '../../../balance/index.ts';
import type { LocalPod } from '../../../tunnel/index.ts';
import type { Wire } from '../../wire/wire.ts';

export class Ways {
  readonly #made = new Map<Wire, string>();

  made(wire: Wire, way: string): void {
    this.#made.set(wire, way);
  }

  gone(wire: Wire): void {
    this.#made.delete(wire);
  }

  /** @param way that holds now. */
  check(way: string): void {
    for (const [wire, made] of this.#made) if (made !== way) wire.retired = true;
  }
}

/** @param local the endpoint's pod, if it is on this node. */
export function wayTo({ peerKey, replica }: Endpoint, local: LocalPod | undefined): string {
  if (local !== undefined) return local.http === undefined ? 'local' : 'local http';
  return replica.hbone ? peerKey : 'plaintext';
}
