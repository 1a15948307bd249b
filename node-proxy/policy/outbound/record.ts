/** What is said of a request on its client's node: labels of its counters, its line in the access log. */

import { formatEndpoint } from '#base/net.ts';
import { entryOf } from '../entry.ts';
import type { Outcome } from '../exchange/plan.ts';
import type { HttpVersion, RequestEntry, RequestLabels } from '../flow.ts';
import type { CarriedRequest } from '../view.ts';
import type { OutboundClient } from './client.ts';
import { sourceLabels } from './upstream/edges-at-hand.ts';
import type { PodUpstream } from './upstream/pod-upstream.ts';

export function labelsOf(
  { pod, service }: Pick<OutboundClient, 'pod' | 'service'>,
  upstream: PodUpstream | undefined,
  route: string,
  version: HttpVersion,
): RequestLabels {
  const replica = upstream?.loaded.endpoint.replica;
  return sourceLabels(pod.who, replica, upstream?.security ?? '', service.service, route, version);
}

type Facts = Pick<
  RequestEntry,
  'labels' | 'endpoint' | 'boundId' | 'firstByteMs' | 'durationMs' | 'attempts' | 'name'
>;

export function recordOf(
  { source, destination }: OutboundClient,
  view: CarriedRequest,
  outcome: Outcome,
  facts: Facts,
): RequestEntry {
  return entryOf(view, outcome, {
    ...facts,
    direction: 'outbound',
    source: formatEndpoint(source.ip, source.port),
    destination,
    rule: '',
    audits: NO_AUDITS,
  });
}

const NO_AUDITS: readonly string[] = [];
