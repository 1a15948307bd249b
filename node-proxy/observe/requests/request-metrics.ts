/**
 * The node's metrics of requests. Policy workers count, this adds up and names, once a second.
 *
 * Two success rates can be read from them. *Effective*, as clients saw it, after retries: `nodemesh_requests_total`
 * with `reporter="source"` counts every request once, by its final outcome. *Actual*, as servers gave it:
 * `reporter="destination"` counts every attempt that arrived. Without retries both are the same. For a service:
 *
 *   sum(rate(nodemesh_requests_total{reporter="source",destination_service="x",status_class=~"[123]xx"}[1m]))
 *     / sum(rate(nodemesh_requests_total{reporter="source",destination_service="x"}[1m]))
 *
 * `nodemesh_retries_total` tells what was tried and why not more; `nodemesh_retry_successes_total` what it was good for.
 */

import { Counter, type Registry } from 'prom-client';
import type { RequestLabels } from '../../policy/flow.ts';
import { BucketHistogram, type Labels } from '../bucket-histogram.ts';
import { END_LABELS, endLabels } from '../edge-labels.ts';
import { KnownEdges } from '../known-edges.ts';
import type { RequestDelta } from './request-counters.ts';
import { type EdgeRequests, GRPC_STATUSES, LATENCY_BUCKETS_MS, STATUS_CLASSES } from './request-edge.ts';
import { ServiceMetrics } from './service-metrics.ts';

const EDGE_LABELS = [...END_LABELS, 'route', 'version', 'security'] as const;

/** What was printed of an edge. */
interface PrintedEdge {
  counted: Map<string, Labels>;
  timed: Map<string, Labels>;
  refused: Map<string, Labels>;
}

export class RequestMetrics {
  readonly #requests: Counter;
  readonly #seconds: BucketHistogram;
  readonly #refused: Counter;
  readonly #services: ServiceMetrics;
  readonly #edges: KnownEdges<PrintedEdge>;

  /** @param now monotonic milliseconds. */
  constructor(registry: Registry, now: () => number) {
    this.#edges = new KnownEdges(now);
    const registers = [registry];
    this.#requests = new Counter({
      name: 'nodemesh_requests_total',
      help: 'Requests that are over. From the source each once, with its final outcome; at the destination each attempt.',
      labelNames: [...EDGE_LABELS, 'status_class', 'grpc_status'],
      registers,
    });
    this.#seconds = new BucketHistogram(
      registry,
      'nodemesh_request_seconds',
      "Time from a request's head until its response's end.",
      LATENCY_BUCKETS_MS.map(ms => ms / 1000),
    );
    this.#refused = new Counter({
      name: 'nodemesh_requests_refused_total',
      help: 'Requests that the proxy answered itself or broke off, by reason.',
      labelNames: [...EDGE_LABELS, 'reason'],
      registers,
    });
    this.#services = new ServiceMetrics(registry);
  }

  add(worker: string, deltas: readonly RequestDelta[]): void {
    for (const delta of deltas) {
      if (delta.kind === 'edge') this.#addEdge(delta);
      else if (delta.kind === 'service') this.#services.add(worker, delta);
      else this.#services.forget(worker, delta.name);
    }
    this.#edges.forgetIdle(edge => this.#drop(edge));
  }

  /** The worker died: its budgets and ejections with it. */
  lost(worker: string): void {
    this.#services.lost(worker);
  }

  #addEdge({ labels, requests, latencies, refusals }: EdgeRequests): void {
    const edge = toLabels(labels);
    const known = this.#edges.seen(JSON.stringify(edge), nothingPrinted);
    const printed = (of: Map<string, Labels>, name: string, more: Labels) => {
      let all = of.get(name);
      if (all === undefined) of.set(name, (all = { ...edge, ...more }));
      return all;
    };
    for (const [statusClass, grpcStatus, count] of requests) {
      const status_class = STATUS_CLASSES[statusClass] ?? 'none';
      const grpc_status = GRPC_STATUSES[grpcStatus] ?? '';
      const more = { status_class, grpc_status };
      this.#requests.inc(printed(known.counted, `${status_class} ${grpc_status}`, more), count);
    }
    for (const { statusClass, buckets, sumMs } of latencies) {
      const status_class = STATUS_CLASSES[statusClass] ?? 'none';
      this.#seconds.add(printed(known.timed, status_class, { status_class }), buckets, sumMs / 1000);
    }
    for (const [reason, count] of refusals)
      this.#refused.inc(printed(known.refused, reason, { reason }), count);
  }

  #drop({ counted, timed, refused }: PrintedEdge): void {
    for (const labels of counted.values()) this.#requests.remove(labels);
    for (const labels of timed.values()) this.#seconds.remove(labels);
    for (const labels of refused.values()) this.#refused.remove(labels);
  }
}

function nothingPrinted(): PrintedEdge {
  return { counted: new Map(), timed: new Map(), refused: new Map() };
}

function toLabels(labels: RequestLabels): Labels {
  const { route, version, security } = labels;
  return { ...endLabels(labels), route, version, security };
}
