/**
 * Counters of a worker, by edge (who → whom, how secured). A connection looks its edge up once; bytes are
 * then plain additions. What changed is handed to the main thread once a second.
 */

import type { Edge, EdgeTable, FlowLabels, Reason } from '../tunnel/index.ts';
import { endsKey, otherEnds } from './edge-labels.ts';

/** Upper bounds of the connect-time buckets, milliseconds. */
export const CONNECT_BUCKETS_MS = [0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000] as const;

/** Edges that one worker counts apart; further ones are counted together, so that nobody can fill the memory. */
const MAX_EDGES = 5_000;
/** Edges without an open connection that nothing happened on for this many takes (seconds) are forgotten. */
const IDLE_TAKES = 600;

export type EdgeLabels = Omit<FlowLabels, 'reporter'> & { reporter: 'source' | 'destination' };

/** What happened on an edge since the last report. */
export interface EdgeDelta {
  labels: EdgeLabels;
  opened: number;
  closed: number;
  sentBytes: number;
  receivedBytes: number;
  /** One count per bucket, not cumulative; the last is for everything above. */
  connect: number[];
  connectSumMs: number;
  refusals: [Reason, number][];
}

export class EdgeCounters implements EdgeTable {
  readonly #edges = new Map<string, CountedEdge>();
  readonly #overflow: Record<'source' | 'destination', CountedEdge> = {
    source: new CountedEdge(other('source')),
    destination: new CountedEdge(other('destination')),
  };

  get size(): number {
    return this.#edges.size;
  }

  flow(labels: FlowLabels): Edge[] {
    if (labels.reporter === 'both') return [this.#edge(labels, 'source'), this.#edge(labels, 'destination')];
    return [this.#edge(labels, labels.reporter)];
  }

  refused(labels: FlowLabels, reason: Reason): void {
    this.refusals[reason] = (this.refusals[reason] ?? 0) + 1;
    this.#edge(labels, labels.reporter === 'destination' ? 'destination' : 'source').refused(reason);
  }

  /** Refusals since the start, by reason, over all edges. */
  readonly refusals: Partial<Record<Reason, number>> = {};

  /** Takes what changed since the last call. */
  take(): EdgeDelta[] {
    const deltas: EdgeDelta[] = [];
    for (const [key, edge] of this.#edges) {
      const delta = edge.take();
      if (delta !== undefined) deltas.push(delta);
      else if (edge.idleTakes >= IDLE_TAKES) this.#edges.delete(key);
    }
    for (const edge of Object.values(this.#overflow)) {
      const delta = edge.take();
      if (delta !== undefined) deltas.push(delta);
    }
    return deltas;
  }

  #edge(labels: FlowLabels, reporter: 'source' | 'destination'): CountedEdge {
    const key = `${endsKey(reporter, labels)} ${labels.security}`;
    let edge = this.#edges.get(key);
    if (edge === undefined) {
      if (this.#edges.size >= MAX_EDGES) return this.#overflow[reporter];
      edge = new CountedEdge({ ...labels, reporter });
      this.#edges.set(key, edge);
    }
    return edge;
  }
}

class CountedEdge implements Edge {
  sentBytes = 0;
  receivedBytes = 0;
  /** Takes that had nothing to take, in a row, without a connection that is open. */
  idleTakes = 0;
  readonly #labels: EdgeLabels;
  #open = 0;
  #opened = 0;
  #closed = 0;
  #connect = emptyBuckets();
  #connectSumMs = 0;
  readonly #refusals = new Map<Reason, number>();

  constructor(labels: EdgeLabels) {
    this.#labels = labels;
  }

  opened(connectMs: number): void {
    this.#opened += 1;
    this.#connectSumMs += connectMs;
    let bucket = 0;
    while (bucket < CONNECT_BUCKETS_MS.length && connectMs > (CONNECT_BUCKETS_MS[bucket] as number))
      bucket += 1;
    this.#connect[bucket] = (this.#connect[bucket] as number) + 1;
  }

  closed(): void {
    this.#closed += 1;
  }

  refused(reason: Reason): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }

  take(): EdgeDelta | undefined {
    const changed = this.#opened + this.#closed + this.sentBytes + this.receivedBytes + this.#refusals.size;
    if (changed === 0) {
      if (this.#open === 0) this.idleTakes += 1;
      return undefined;
    }
    this.idleTakes = 0;
    this.#open += this.#opened - this.#closed;
    const delta: EdgeDelta = {
      labels: this.#labels,
      opened: this.#opened,
      closed: this.#closed,
      sentBytes: this.sentBytes,
      receivedBytes: this.receivedBytes,
      connect: this.#connect,
      connectSumMs: this.#connectSumMs,
      refusals: [...this.#refusals],
    };
    this.#opened = this.#closed = this.sentBytes = this.receivedBytes = this.#connectSumMs = 0;
    this.#connect = emptyBuckets();
    this.#refusals.clear();
    return delta;
  }
}

function emptyBuckets(): number[] {
  return new Array(CONNECT_BUCKETS_MS.length + 1).fill(0);
}

function other(reporter: EdgeLabels['reporter']): EdgeLabels {
  return { ...otherEnds(reporter), security: '' };
}
