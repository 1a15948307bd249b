/** The node's metrics. Workers count, this file adds up and names; labels are looked up here, once a second. */

import { Counter, Gauge, Registry } from 'prom-client';
import { BucketHistogram, type Labels } from './bucket-histogram.ts';
import { CONNECT_BUCKETS_MS, type EdgeDelta, type EdgeLabels } from './edge-counters.ts';
import { END_LABELS, endLabels } from './edge-labels.ts';
import { KnownEdges } from './known-edges.ts';

const EDGE_LABELS = [...END_LABELS, 'security'] as const;

/** What was printed of an edge. */
interface PrintedEdge {
  labels: Labels;
  reasons: Set<string>;
}

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
  readonly #edges: KnownEdges<PrintedEdge>;

  /** @param now monotonic milliseconds. */
  constructor(now: () => number) {
    this.#edges = new KnownEdges(now);
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
      this.registry,
      'nodemesh_connect_seconds',
      'Time from accept until both sides were connected.',
      CONNECT_BUCKETS_MS.map(ms => ms / 1000),
    );
  }

  add(worker: string, deltas: readonly EdgeDelta[]): void {
    for (const delta of deltas) {
      const labels = toLabels(delta.labels);
      const key = JSON.stringify(labels);
      const printed = this.#edges.seen(key, () => ({ labels, reasons: new Set() }));
      if (delta.opened > 0) {
        this.#opened.inc(labels, delta.opened);
        this.#connect.add(labels, delta.connect, delta.connectSumMs / 1000);
      }
      if (delta.closed > 0) this.#closed.inc(labels, delta.closed);
      if (delta.opened !== delta.closed) this.#opens(worker, key, labels, delta.opened - delta.closed);
      if (delta.sentBytes > 0) this.#bytes.inc({ ...labels, direction: 'sent' }, delta.sentBytes);
      if (delta.receivedBytes > 0) this.#bytes.inc({ ...labels, direction: 'received' }, delta.receivedBytes);
      for (const [reason, count] of delta.refusals) {
        this.#refusals.inc({ ...labels, reason }, count);
        printed.reasons.add(reason);
      }
    }
    this.#edges.forgetIdle(
      edge => this.#drop(edge),
      key => this.#isOpen(key),
    );
  }

  /** The worker died, and its connections with it. */
  lost(worker: string): void {
    for (const { labels, open } of this.#openOf.get(worker)?.values() ?? []) {
      this.#open.dec(labels, open);
      this.#closed.inc(labels, open);
    }
    this.#openOf.delete(worker);
  }

  #isOpen(key: string): boolean {
    for (const edges of this.#openOf.values()) if (edges.has(key)) return true;
    return false;
  }

  #drop({ labels, reasons }: PrintedEdge): void {
    for (const metric of [this.#opened, this.#closed, this.#open, this.#connect]) metric.remove(labels);
    for (const direction of ['sent', 'received']) this.#bytes.remove({ ...labels, direction });
    for (const reason of reasons) this.#refusals.remove({ ...labels, reason });
  }

  #opens(worker: string, key: string, labels: Labels, more: number): void {
    this.#open.inc(labels, more);
    let edges = this.#openOf.get(worker);
    if (edges === undefined) this.#openOf.set(worker, (edges = new Map()));
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
  return { ...endLabels(labels), security: labels.security };
}
