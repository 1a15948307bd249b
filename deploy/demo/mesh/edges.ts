/**
 * Who talks to whom, put together from two sides: the applications' own counts of their calls, and what the
 * node proxies saw of the connections that carried them.
 */

import { CALCULATOR } from '../inventory.ts';
import { failedCalls, type TargetCounters } from './counters.ts';
import type { Sample } from './metrics.ts';
import { type Requests, requestsOf } from './requests.ts';

export interface Edge {
  source: string;
  destination: string;
  calls: number;
  /** Answered with 2xx. */
  ok: number;
  /** Not answered at all: refused, reset, timed out. */
  failed: number;
  /** Milliseconds of a whole call, over the last few; undefined before the first. */
  callMs: number | undefined;
  /** Seen by the source's proxy; undefined without a mesh. */
  mesh: MeshEdge | undefined;
  /** Where there is HTTP. */
  requests: Requests | undefined;
}

export interface MeshEdge {
  opened: number;
  bytes: number;
  /** Mean milliseconds to connect, tunnel included. */
  connectMs: number | undefined;
  security: readonly string[];
  sourceIdentity: string;
  destinationIdentity: string;
}

/** @param callers application (`mathfanboy`) → its counters by target (`addition`). */
export function edgesOf(
  callers: ReadonlyMap<string, Record<string, TargetCounters>>,
  samples: readonly Sample[] | undefined,
): Edge[] {
  const edges: Edge[] = [];
  for (const [source, targets] of callers)
    for (const [destination, counters] of Object.entries(targets))
      edges.push(edge(source, destination, counters, samples));
  return edges.sort((a, b) => `${a.source} ${a.destination}`.localeCompare(`${b.source} ${b.destination}`));
}

function edge(
  source: string,
  destination: string,
  counters: TargetCounters,
  samples: readonly Sample[] | undefined,
): Edge {
  const { calls, outcomes, latenciesMs } = counters;
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const callMs = sorted[sorted.length >> 1];
  const mesh = samples === undefined ? undefined : meshEdge(source, destination, samples);
  const requests = samples === undefined ? undefined : requestsOf(source, destination, samples);
  const [ok, failed] = [outcomes['ok'] ?? 0, failedCalls(counters)];
  return { source, destination, calls, ok, failed, callMs, mesh, requests };
}

function meshEdge(source: string, destination: string, samples: readonly Sample[]): MeshEdge | undefined {
  const from = `${CALCULATOR}/${source}-`;
  const to = `${CALCULATOR}/${destination}-`;
  const own = samples.filter(
    ({ labels }) =>
      labels['reporter'] === 'source' &&
      labels['source_workload']?.startsWith(from) === true &&
      labels['destination_workload']?.startsWith(to) === true,
  );
  const total = (name: string) =>
    own.filter(sample => sample.name === name).reduce((total, { value }) => total + value, 0);
  const first = own.find(({ name }) => name === 'nodemesh_connections_opened_total');
  if (first === undefined) return undefined;
  const connects = total('nodemesh_connect_seconds_count');
  const securities = own.map(({ labels }) => labels['security'] ?? '').filter(Boolean);
  return {
    opened: total('nodemesh_connections_opened_total'),
    bytes: total('nodemesh_bytes_total'),
    connectMs: connects === 0 ? undefined : (total('nodemesh_connect_seconds_sum') / connects) * 1000,
    security: [...new Set(securities)].sort(),
    sourceIdentity: first.labels['source_identity'] ?? '',
    destinationIdentity: first.labels['destination_identity'] ?? '',
  };
}
