/**
 * Counters of requests in one policy worker, by edge (who → whom, by which route) and by service. The data path looks
 * an edge up once and keeps it; a request is then a few additions. What changed is handed to the main thread
 * once a second.
 *
 * An edge that was not used for a while is forgotten here, but whoever still holds it may go on counting: an edge
 * that has counted puts itself on the list of what is taken next, whether it can be looked up or not.
 */

import type { RequestEdge, RequestLabels, RequestTable, ServiceCounters } from '../../policy/flow.ts';
import { endsKey, otherEnds } from '../edge-labels.ts';
import { CountedEdge, type EdgeRequests, STATUS_CLASSES } from './request-edge.ts';
import { CountedService, type ServiceChange } from './service-counters.ts';

/** Edges and services that one worker counts apart; further ones are counted together. */
const MAX_EDGES = 5_000;
const MAX_SERVICES = 5_000;
/** Edges not used, and services not asked for, for this many takes (seconds) are not found any more. */
const IDLE_TAKES = 600;

/** What happened since the last report. */
export type RequestDelta =
  | ({ kind: 'edge' } & EdgeRequests)
  | ({ kind: 'service' } & ServiceChange)
  /** A service is known here no more. */
  | { kind: 'gone'; name: string };

export { STATUS_CLASSES };

export class RequestCounters implements RequestTable {
  readonly #edges = new Map<string, CountedEdge>();
  readonly #services = new Map<string, CountedService>();
  readonly #overflow: Record<RequestLabels['reporter'], CountedEdge>;
  readonly #otherService = new CountedService('(other)');
  /** Edges that have counted since the last take. */
  #changed: CountedEdge[] = [];
  #takes = 0;

  constructor() {
    this.#overflow = {
      source: this.#newEdge(other('source')),
      destination: this.#newEdge(other('destination')),
    };
  }

  /** Edges that can be looked up. */
  get size(): number {
    return this.#edges.size;
  }

  edge(labels: RequestLabels): RequestEdge {
    return this.#edge(labels);
  }

  service(name: string): ServiceCounters {
    let service = this.#services.get(name);
    if (service === undefined) {
      if (this.#services.size >= MAX_SERVICES) return this.#otherService;
      service = new CountedService(name);
      this.#services.set(name, service);
    }
    service.askedTake = this.#takes;
    return service;
  }

  refused(labels: RequestLabels, reason: string): void {
    this.#edge(labels).refused(reason);
  }

  /** Takes what changed since the last call: once a second. */
  take(): RequestDelta[] {
    this.#takes += 1;
    const changed = this.#changed;
    this.#changed = [];
    const deltas: RequestDelta[] = changed.map(edge => ({ kind: 'edge', ...edge.take(this.#takes) }));
    for (const service of [...this.#services.values(), this.#otherService]) {
      const change = service.take();
      if (change !== undefined) deltas.push({ kind: 'service', ...change });
    }
    if (this.#takes % IDLE_TAKES === 0) this.#forget(deltas);
    return deltas;
  }

  #forget(deltas: RequestDelta[]): void {
    const since = this.#takes - IDLE_TAKES;
    for (const [key, edge] of this.#edges) if (edge.lastTake <= since) this.#edges.delete(key);
    for (const [name, service] of this.#services) {
      if (service.askedTake > since) continue;
      this.#services.delete(name);
      deltas.push({ kind: 'gone', name });
    }
  }

  #edge(labels: RequestLabels): CountedEdge {
    const { version, security, route } = labels;
    const key = `${endsKey(labels.reporter, labels)} ${version} ${security} ${route}`;
    let edge = this.#edges.get(key);
    if (edge === undefined) {
      if (this.#edges.size >= MAX_EDGES) return this.#overflow[labels.reporter];
      edge = this.#newEdge({ ...labels });
      this.#edges.set(key, edge);
    }
    return edge;
  }

  #newEdge(labels: RequestLabels): CountedEdge {
    return new CountedEdge(labels, this.#takes, edge => void this.#changed.push(edge));
  }
}

function other(reporter: RequestLabels['reporter']): RequestLabels {
  return { ...otherEnds(reporter), route: '(other)', version: 'http1', security: '' };
}
