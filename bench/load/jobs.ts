/** What the load generator can be asked to do, and what it answers. Both travel as JSON. */

import type { Speech } from './speech/dialect.ts';

export interface Target {
  ip: string;
  port: number;
}

/** Processes whose cost is measured while the job runs: its process ids, none for a direct connection. */
type Watched = { target: Target; pids: readonly number[] };

export type Job =
  /** Closed loop: every connection sends its next request when an answer is there, with `streams` (1) under way. */
  | (Watched & {
      kind: 'requests';
      connections: number;
      streams?: number;
      speech?: Speech;
      warmMs: number;
      durationMs: number;
    })
  /** Connect, one request, close; `parallel` at a time. */
  | (Watched & { kind: 'connections'; parallel: number; warm: number; count: number })
  /** Half of the bytes down on one connection, half up on another, one after the other. */
  | (Watched & { kind: 'bulk'; bytes: number })
  /** Open loop: requests leave by the clock, whether or not answers came. */
  | (Watched & {
      kind: 'paced';
      connections: number;
      speech?: Speech;
      ratePerSecond: number;
      warmMs: number;
      durationMs: number;
    })
  /** Opens connections, one request on each, up to each count in turn, and weighs the processes there. */
  | (Watched & { kind: 'idle'; counts: readonly number[]; settleMs: number });

export interface Cost {
  /** Requests, connections or bytes done between the two readings. */
  units: number;
  wallMs: number;
  /** User and system time of the watched processes, all threads. */
  cpuMs: number;
  /** The same of the generator itself. */
  ownCpuMs?: number;
}

/** Latency from the moment a request was due to the moment its answer was complete, milliseconds. */
export interface Latency {
  p50: number;
  p99: number;
  p999: number;
  max: number;
  /** How late the generator itself was to send, 99th percentile: the measure's own error. */
  lateP99: number;
}

/** Memory of the watched processes together, bytes. */
export interface Weight {
  connections: number;
  pss: number;
  rss: number;
}

export type Outcome = {
  requests: Cost;
  connections: Cost;
  bulk: Cost;
  paced: Cost & Latency;
  idle: { weights: Weight[] };
};

export type Kind = keyof Outcome;
