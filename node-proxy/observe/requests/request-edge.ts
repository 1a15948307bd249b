/** Counters of one edge: status classes by gRPC status, and latencies by status class, as plain numbers. */

import type { RequestEdge, RequestLabels } from '../../policy/flow.ts';

/** Index = hundreds of the status; `none`: no response, or it broke off before its head. */
export const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** Index = gRPC status + 1. */
export const GRPC_STATUSES = ['', ...Array.from({ length: 17 }, (_, i) => String(i)), '(other)'] as const;
/** Upper bounds of the latency buckets, milliseconds: one less than a power of two, for the search. */
export const LATENCY_BUCKETS_MS = [
  0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
] as const;

const CLASSES = STATUS_CLASSES.length;
const STATUSES = GRPC_STATUSES.length;
const BUCKETS = LATENCY_BUCKETS_MS.length + 1;
const BOUNDS = Float64Array.from(LATENCY_BUCKETS_MS);
/** Reasons of one edge that are counted apart. */
const MAX_REASONS = 64;

/** What happened on an edge since the last report. */
export interface EdgeRequests {
  labels: RequestLabels;
  /** Requests by index into STATUS_CLASSES and GRPC_STATUSES; only what is not zero. */
  requests: [statusClass: number, grpcStatus: number, count: number][];
  /** By status class; one count per bucket, not cumulative, the last for everything above. */
  latencies: { statusClass: number; buckets: number[]; sumMs: number }[];
  refusals: [reason: string, count: number][];
}

export class CountedEdge implements RequestEdge {
  /** Number of the last take that had something to take from here. */
  lastTake: number;
  readonly #labels: RequestLabels;
  readonly #onChange: (edge: CountedEdge) => void;
  readonly #requests = new Uint32Array(CLASSES * STATUSES);
  readonly #latencies = new Uint32Array(CLASSES * BUCKETS);
  readonly #sumsMs = new Float64Array(CLASSES);
  readonly #refusals = new Map<string, number>();
  #changed = false;

  /** @param onChange told when there is something to take, once until it is taken. */
  constructor(labels: RequestLabels, take: number, onChange: (edge: CountedEdge) => void) {
    this.#labels = labels;
    this.lastTake = take;
    this.#onChange = onChange;
  }

  finished(status: number, grpcStatus: number, tookMs: number): void {
    if (!this.#changed) this.#change();
    const statusClass = status >= 100 && status < 600 ? (status / 100) | 0 : 0;
    const grpc = grpcStatus < 0 ? 0 : grpcStatus > 16 ? STATUSES - 1 : (grpcStatus | 0) + 1;
    add(this.#requests, statusClass * STATUSES + grpc, 1);
    add(this.#latencies, statusClass * BUCKETS + bucketOf(tookMs), 1);
    // Not for a time that is no number: a sum never recovers from it.
    if (tookMs > 0) add(this.#sumsMs, statusClass, tookMs);
  }

  refused(reason: string): void {
    if (!this.#changed) this.#change();
    const known = this.#refusals.has(reason) || this.#refusals.size < MAX_REASONS;
    const key = known ? reason : '(other)';
    this.#refusals.set(key, (this.#refusals.get(key) ?? 0) + 1);
  }

  take(take: number): EdgeRequests {
    this.lastTake = take;
    this.#changed = false;
    const taken: EdgeRequests = {
      labels: this.#labels,
      requests: [],
      latencies: [],
      refusals: [...this.#refusals],
    };
    for (let statusClass = 0; statusClass < CLASSES; statusClass++) {
      const requests = this.#requests.subarray(statusClass * STATUSES, (statusClass + 1) * STATUSES);
      let any = false;
      requests.forEach((count, grpc) => {
        if (count === 0) return;
        any = true;
        taken.requests.push([statusClass, grpc, count]);
      });
      if (!any) continue;
      const buckets = this.#latencies.subarray(statusClass * BUCKETS, (statusClass + 1) * BUCKETS);
      taken.latencies.push({
        statusClass,
        buckets: [...buckets],
        sumMs: this.#sumsMs[statusClass] as number,
      });
    }
    this.#requests.fill(0);
    this.#latencies.fill(0);
    this.#sumsMs.fill(0);
    this.#refusals.clear();
    return taken;
  }

  #change(): void {
    this.#changed = true;
    this.#onChange(this);
  }
}

/** Index of the first bound that is not less; four comparisons for fifteen bounds. */
function bucketOf(ms: number): number {
  let bucket = ms > (BOUNDS[7] as number) ? 8 : 0;
  if (ms > (BOUNDS[bucket + 3] as number)) bucket += 4;
  if (ms > (BOUNDS[bucket + 1] as number)) bucket += 2;
  return ms > (BOUNDS[bucket] as number) ? bucket + 1 : bucket;
}

function add(counts: Uint32Array | Float64Array, index: number, more: number): void {
  counts[index] = (counts[index] as number) + more;
}
