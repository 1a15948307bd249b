/**
 * The counters of requests by one way, a few at hand so that none is looked up for a request. They are of a replica and
 * of how it is reached: when another one has the address, or the way is another, they are looked up anew.
 */

import type { Replica } from '#api';
import type { PodIdentity, Security } from '../../../tunnel/index.ts';
import type { HttpVersion, RequestEdge, RequestLabels, RequestTable } from '../../flow.ts';

interface AtHand {
  service: string;
  route: string;
  version: HttpVersion;
  edge: RequestEdge;
}

const MAX_AT_HAND = 16;

export class EdgesAtHand {
  readonly #who: PodIdentity;
  readonly #requests: RequestTable;
  readonly #known: AtHand[] = [];
  #replica: Replica | undefined;
  #security: Security | '' = '';

  /** @param who sends the requests. */
  constructor(who: PodIdentity, requests: RequestTable) {
    this.#who = who;
    this.#requests = requests;
  }

  of(
    replica: Replica,
    security: Security | '',
    service: string,
    route: string,
    version: HttpVersion,
  ): RequestEdge {
    if (this.#replica !== replica || this.#security !== security) {
      this.#known.length = 0;
      this.#replica = replica;
      this.#security = security;
    }
    for (const known of this.#known)
      if (known.route === route && known.version === version && known.service === service) return known.edge;
    const edge = this.#requests.edge(sourceLabels(this.#who, replica, security, service, route, version));
    if (this.#known.length >= MAX_AT_HAND) this.#known.shift();
    this.#known.push({ service, route, version, edge });
    return edge;
  }
}

/**
 * What a request is counted as on its client's node.
 * @param replica that it went to, if it went anywhere.
 * @param service `<namespace>/<service>`
 */
export function sourceLabels(
  who: PodIdentity,
  replica: Replica | undefined,
  security: Security | '',
  service: string,
  route: string,
  version: HttpVersion,
): RequestLabels {
  return {
    reporter: 'source',
    sourceWorkload: who.workload,
    sourceIdentity: who.identity,
    destinationWorkload: replica?.workload ?? '',
    destinationIdentity: replica?.identity ?? '',
    destinationService: service,
    route,
    version,
    security,
  };
}
