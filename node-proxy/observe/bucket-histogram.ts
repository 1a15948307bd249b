/** A histogram that takes whole buckets at a time; prom-client's own takes single observations only. */

import type { Metric, Registry } from 'prom-client';

export type Labels = Record<string, string>;

export class BucketHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { labels: Labels; counts: number[]; sum: number }>();

  /** @param bounds upper bounds of the buckets, ascending, in the metric's unit. */
  constructor(registry: Registry, name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    registry.registerMetric(this as unknown as Metric);
  }

  /** @param counts per bucket, not cumulative, one more than there are bounds. */
  add(labels: Labels, counts: readonly number[], sum: number): void {
    const key = JSON.stringify(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: new Array(this.#bounds.length + 1).fill(0), sum: 0 };
      this.#series.set(key, series);
    }
    for (let i = 0; i < counts.length; i++) series.counts[i] = (series.counts[i] ?? 0) + (counts[i] ?? 0);
    series.sum += sum;
  }

  remove(labels: Labels): void {
    this.#series.delete(JSON.stringify(labels));
  }

  reset(): void {
    this.#series.clear();
  }

  /** What prom-client's registry prints: cumulative buckets, sum and count. */
  async get(): Promise<object> {
    const values = [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const buckets = counts.map((count, i) => ({
        metricName: `${this.name}_bucket`,
        labels: { ...labels, le: this.#bounds[i] ?? '+Inf' },
        value: (total += count),
      }));
      return [
        ...buckets,
        { metricName: `${this.name}_sum`, labels, value: sum },
        { metricName: `${this.name}_count`, labels, value: total },
      ];
    });
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }
}
