/** The node's metrics. Workers count, this file adds up and names; labels are looked up here, once a second. */

import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { CONNECT_BUCKETS_MS, type EdgeDelta, type EdgeLabels } from './edge-counters.ts';

const EDGE_LABELS = [
  'reporter',
  'source_workload',
  'source_identity',
  'destination_workload',
  'destination_identity',
  'destination_service',
  'security',
] as const;

type Labels = Record<string, string>;

export class NodeMetrics {
  readonly registry = new Registry();
  readonly #opened: Counter;
  readonly #closed: Counter;
  readonly #open: Gauge;
  readonly #bytes: Counter;
  readonly #refusals: Counter;
  readonly #connect: BucketHistogram;
  /** Open connections by worker and edge, for the day it dies. */
  readonly #openOf = new Map<string, Map<string, { labels: Labels; open: number }>>();

  constructor() {
    const registers = [this.registry];
    const edge = [...EDGE_LABELS];
    this.#opened = new Counter({
      name: 'nodemesh_connections_opened_total',
      help: 'Connections with both sides connected.',
      labelNames: edge,
      registers,
    });
    this.#closed = new Counter({
      name: 'nodemesh_connections_closed_total',
      help: 'Connections that have ended.',
      labelNames: edge,
      registers,
    });
    this.#open = new Gauge({
      name: 'nodemesh_connections_open',
      help: 'Connections that are open now.',
      labelNames: edge,
      registers,
    });
    this.#bytes = new Counter({
      name: 'nodemesh_bytes_total',
      help: 'Bytes relayed; sent = from the client to the server.',
      labelNames: [...edge, 'direction'],
      registers,
    });
    this.#refusals = new Counter({
      name: 'nodemesh_refusals_total',
      help: 'Connections that were refused, failed to connect, or were broken off, by reason.',
      labelNames: [...edge, 'reason'],
      registers,
    });
    this.#connect = new BucketHistogram(
      'nodemesh_connect_seconds',
      'Time from accept until both sides were connected.',
      CONNECT_BUCKETS_MS.map(ms => ms / 1000),
    );
    this.registry.registerMetric(this.#connect as unknown as Metric);
  }

  add(worker: string, deltas: readonly EdgeDelta[]): void {
    for (const delta of deltas) {
      const labels = toLabels(delta.labels);
      if (delta.opened > 0) {
        this.#opened.inc(labels, delta.opened);
        this.#connect.add(labels, delta.connect, delta.connectSumMs / 1000);
      }
      if (delta.closed > 0) this.#closed.inc(labels, delta.closed);
      if (delta.opened !== delta.closed) this.#opens(worker, labels, delta.opened - delta.closed);
      if (delta.sentBytes > 0) this.#bytes.inc({ ...labels, direction: 'sent' }, delta.sentBytes);
      if (delta.receivedBytes > 0) this.#bytes.inc({ ...labels, direction: 'received' }, delta.receivedBytes);
      for (const [reason, count] of delta.refusals) this.#refusals.inc({ ...labels, reason }, count);
    }
  }

  /** The worker died, and its connections with it. */
  lost(worker: string): void {
    for (const { labels, open } of this.#openOf.get(worker)?.values() ?? []) {
      this.#open.dec(labels, open);
      this.#closed.inc(labels, open);
    }
    this.#openOf.delete(worker);
  }

  #opens(worker: string, labels: Labels, more: number): void {
    this.#open.inc(labels, more);
    let edges = this.#openOf.get(worker);
    if (edges === undefined) this.#openOf.set(worker, (edges = new Map()));
    const key = JSON.stringify(labels);
    const open = (edges.get(key)?.open ?? 0) + more;
    if (open === 0) edges.delete(key);
    else edges.set(key, { labels, open });
  }

  gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  /** A counter that somebody else keeps. @returns tells the metric where it stands. */
  total(name: string, help: string, labelNames: string[] = []): (value: number, labels?: Labels) => void {
    const counter = new Counter({ name, help, labelNames, registers: [this.registry] });
    return (value, labels = {}) => {
      counter.remove(labels);
      counter.inc(labels, value);
    };
  }
}

function toLabels(labels: EdgeLabels): Labels {
  return {
    reporter: labels.reporter,
    source_workload: labels.sourceWorkload,
    source_identity: labels.sourceIdentity,
    destination_workload: labels.destinationWorkload,
    destination_identity: labels.destinationIdentity,
    destination_service: labels.destinationService,
    security: labels.security,
  };
}

/** A histogram that takes whole buckets at a time; prom-client's own takes single observations only. */
class BucketHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { labels: Labels; counts: number[]; sum: number }>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
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
