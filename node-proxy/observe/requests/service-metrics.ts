/** What policy workers do for a service, as metrics. Levels are each worker's own and are added up. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Labels } from '../bucket-histogram.ts';
import type { ServiceChange, ServiceTotal } from './service-counters.ts';

export class ServiceMetrics {
  readonly #totals: readonly { of: ServiceTotal; counter: Counter; labels: Labels }[];
  readonly #budget: Gauge;
  readonly #ejected: Gauge;
  readonly #levels = new Map<string, Map<string, { budget: number; ejected: number }>>();

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name: `nodemesh_${name}`, help, labelNames: ['service', ...labelNames], registers });
    const gauge = (name: string, help: string) =>
      new Gauge({ name: `nodemesh_${name}`, help, labelNames: ['service'], registers });
    const retries = counter(
      'retries_total',
      'Attempts after the first that were made, and those that were not made because of the budget, the limit of attempts, or a body too large to keep.',
      ['outcome'],
    );
    const successes = counter('retry_successes_total', 'Requests that a further attempt saved.');
    const ejections = counter('ejections_total', 'Times that the breaker ejected an endpoint.');
    const shed = counter(
      'requests_shed_total',
      'Requests refused because a limit of the service was reached.',
    );
    const timeouts = counter(
      'request_timeouts_total',
      'Requests, and attempts of requests, that took longer than a timeout allows.',
    );
    const removed = counter(
      'reserved_headers_removed_total',
      'Headers removed from requests of callers that may not send them.',
    );
    this.#budget = gauge('retry_budget', 'Retries that the budget would allow now.');
    this.#ejected = gauge('endpoints_ejected', 'Endpoints that are ejected now.');
    this.#totals = [
      { of: 'retries', counter: retries, labels: { outcome: 'made' } },
      { of: 'retriesOverBudget', counter: retries, labels: { outcome: 'over_budget' } },
      { of: 'retriesOverLimit', counter: retries, labels: { outcome: 'over_limit' } },
      { of: 'retriesTooLarge', counter: retries, labels: { outcome: 'too_large' } },
      { of: 'retrySuccesses', counter: successes, labels: {} },
      { of: 'ejections', counter: ejections, labels: {} },
      { of: 'shed', counter: shed, labels: {} },
      { of: 'timeouts', counter: timeouts, labels: {} },
      { of: 'headersRemoved', counter: removed, labels: {} },
    ];
  }

  add(worker: string, change: ServiceChange): void {
    const service = change.name;
    for (const { of, counter, labels } of this.#totals)
      if (change[of] > 0) counter.inc({ service, ...labels }, change[of]);
    let levels = this.#levels.get(worker);
    if (levels === undefined) this.#levels.set(worker, (levels = new Map()));
    levels.set(service, change);
    this.#sum(service);
  }

  /** The worker does not know the service any more; when nobody does, neither does the page. */
  forget(worker: string, service: string): void {
    this.#levels.get(worker)?.delete(service);
    for (const levels of this.#levels.values()) if (levels.has(service)) return this.#sum(service);
    for (const { counter, labels } of this.#totals) counter.remove({ service, ...labels });
    this.#budget.remove({ service });
    this.#ejected.remove({ service });
  }

  lost(worker: string): void {
    const services = this.#levels.get(worker)?.keys() ?? [];
    this.#levels.delete(worker);
    for (const service of services) this.#sum(service);
  }

  #sum(service: string): void {
    let budget = 0;
    let ejected = 0;
    for (const levels of this.#levels.values()) {
      budget += levels.get(service)?.budget ?? 0;
      ejected += levels.get(service)?.ejected ?? 0;
    }
    this.#budget.set({ service }, budget);
    this.#ejected.set({ service }, ejected);
  }
}
