/** The services that this worker's clients ask: made when first asked, given up when nobody has asked for a while. */

import { Service, type ServiceParts, type ServiceTarget } from './service.ts';

/** What was learnt of a service that nobody uses is kept for this long. */
const UNUSED_MS = 600_000;

export class Services {
  readonly #byName = new Map<string, Service>();
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
    for (const [name, service] of this.#byName) {
      service.counters.budget = service.budget.balance;
      if (service.users > 0 || nowMs - service.unusedSinceMs < UNUSED_MS) continue;
      this.#byName.delete(name);
      service.close();
    }
    const { clients, requests } = this.#parts;
    for (const client of clients.values()) {
      const counters = requests.service(client.id);
      counters.ejected = client.ejected;
      counters.ejections = client.ejections;
    }
  }

  close(): void {
    for (const service of this.#byName.values()) service.close();
    this.#byName.clear();
  }
}
