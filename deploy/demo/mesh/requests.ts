/** What the source's proxy counts of the requests of one application to another, where there is HTTP. */

import { CALCULATOR } from '../inventory.ts';
import type { Sample } from './metrics.ts';

export interface Requests {
  /** Each once, however often it was tried. */
  count: number;
  /** With a response below 500. */
  ok: number;
  /** Upper bound in seconds → requests that took no longer. */
  buckets: ReadonlyMap<number, number>;
}

/** Undefined where nothing asks for HTTP. */
export function requestsOf(
  source: string,
  destination: string,
  samples: readonly Sample[],
): Requests | undefined {
  const from = `${CALCULATOR}/${source}-`;
  const own = samples.filter(
    ({ labels }) =>
      labels['reporter'] === 'source' &&
      labels['source_workload']?.startsWith(from) === true &&
      labels['destination_service'] === `${CALCULATOR}/${destination}`,
  );
  const counted = own.filter(({ name }) => name === 'nodemesh_requests_total');
  if (counted.length === 0) return undefined;
  const buckets = new Map<number, number>();
  for (const { name, labels, value } of own) {
    if (name !== 'nodemesh_request_seconds_bucket') continue;
    const bound = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  const good = counted.filter(({ labels }) => !['5xx', 'none'].includes(labels['status_class'] ?? ''));
  return { count: total(counted), ok: total(good), buckets };
}

/**
 * Milliseconds within which a share of the requests since `before` was answered: the upper bound of the bucket that
 * it falls into; undefined when there was none.
 */
export function percentileMs(now: Requests, before: Requests | undefined, share: number): number | undefined {
  const bounds = [...now.buckets.keys()].sort((a, b) => a - b);
  const upTo = (bound: number) => (now.buckets.get(bound) ?? 0) - (before?.buckets.get(bound) ?? 0);
  const all = upTo(bounds.at(-1) ?? 0);
  if (all <= 0) return undefined;
  const bound = bounds.find(each => upTo(each) >= all * share);
  return bound === undefined ? undefined : bound * 1000;
}

function total(samples: readonly Sample[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0);
}
