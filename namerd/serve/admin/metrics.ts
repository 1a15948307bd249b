/** namerd's metrics. Values that something else holds are asked for when somebody looks, not kept twice. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { AnsweredRequest } from '../http/server.ts';

export class Metrics {
  readonly registry = new Registry();
  readonly #requests: Counter<'server' | 'route' | 'method' | 'status'>;
  readonly #seconds: Histogram<'server' | 'route'>;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: 'namerd_http_requests_total',
      help: 'Answered requests by server (control, admin), route, method and status.',
      labelNames: ['server', 'route', 'method', 'status'],
      registers: [this.registry],
    });
    this.#seconds = new Histogram({
      name: 'namerd_http_request_seconds',
      help: 'Seconds until the answer began.',
      labelNames: ['server', 'route'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers: [this.registry],
    });
  }

  /** For the servers: counts what they answer. */
  counting(server: string): (request: AnsweredRequest) => void {
    return ({ route, method, status, seconds }) => {
      this.#requests.inc({ server, route, method, status: String(status) });
      this.#seconds.observe({ server, route }, seconds);
    };
  }

  /** @param read asked at every scrape; one value for each set of labels. */
  gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => Iterable<readonly [labels: Readonly<Record<L, string>>, value: number]>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels as Partial<Record<L, string>>, value);
      },
    });
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** `{"name{label=value}": number}`, for people and scripts. */
  async flat(): Promise<Record<string, number>> {
    const flat: [string, number][] = [];
    for (const metric of await this.registry.getMetricsAsJSON()) {
      for (const each of metric.values) {
        const { metricName, labels, value } = each as typeof each & { metricName?: string };
        const shown = Object.entries(labels).map(([label, text]) => `${label}=${text}`);
        flat.push([`${metricName ?? metric.name}${shown.length === 0 ? '' : `{${shown.join(',')}}`}`, value]);
      }
    }
    return Object.fromEntries(flat.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
