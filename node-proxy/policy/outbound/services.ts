/** The services that this worker's clients ask: made when first asked, given up when nobody has asked for a while. */

import type { ServiceClient } from '../../balance/index.ts';
import type { ServiceCounters } from '../flow.ts';
import { Service, type ServiceParts, type ServiceTarget } from './service.ts';

/** What was learnt of a service that nobody uses is kept for this long. */
const UNUSED_MS = 600_000;

export class Services {
  readonly #byName = new Map<string, Service>();
  /** Those that say that endpoints are ejected. */
  readonly #ejecting = new Set<ServiceCounters>();
  /** What has been counted of each. */
  readonly #ejections = new WeakMap<ServiceClient, number>();
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** To be given back with {@link Services.release}. */
  acquire(target: ServiceTarget): Service {
    let service = this.#byName.get(target.name);
    if (service === undefined) {
      service = new Service(target, this.#parts);
      this.#byName.set(target.name, service);
    } else service.update(target);
    service.users += 1;
    return service;
  }

  release(service: Service): void {
    service.users -= 1;
    service.unusedSinceMs = this.#parts.now();
  }

  /** To be called every second. */
  sweep(): void {
    const nowMs = this.#parts.now();
    // Ports of a service have one's counters.
    for (const { counters } of this.#byName.values()) counters.budget = 0;
    for (const [name, service] of this.#byName) {
      if (service.users > 0 || nowMs - service.unusedSinceMs < UNUSED_MS) {
        service.count();
        continue;
      }
      this.#byName.delete(name);
      service.close();
    }
    this.#countEjections();
  }

  #countEjections(): void {
    const { clients, requests } = this.#parts;
    const ejecting = this.#ejecting;
    for (const counters of ejecting) counters.ejected = 0;
    ejecting.clear();
    for (const client of clients.values()) {
      const counters = requests.service(client.id);
      const { ejected, ejections } = client;
      counters.ejections += ejections - (this.#ejections.get(client) ?? 0);
      this.#ejections.set(client, ejections);
      if (ejected === 0) continue;
      counters.ejected += ejected;
      ejecting.add(counters);
    }
  }

  close(): void {
    for (const service of this.#byName.values()) service.close();
    this.#byName.clear();
  }
}
