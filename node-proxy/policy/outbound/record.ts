/** What is said of a request on its client's node: labels of its counters, its line in the access log. */

import type { Outcome } from '../exchange/plan.ts';
import type { HttpVersion, RequestEntry, RequestLabels } from '../flow.ts';
import { showTrace, traceOf } from '../trace.ts';
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

export function entryOf(
  { source, destination }: OutboundClient,
  view: CarriedRequest,
  outcome: Outcome,
  facts: Facts,
): RequestEntry {
  return {
    direction: 'outbound',
    source: `${source.ip}:${source.port}`,
    destination,
    method: view.method,
    path: view.path,
    authority: view.authority,
    ...outcome,
    ...facts,
    userAgent: view.header('user-agent') ?? '',
    requestId: view.header('x-request-id') ?? '',
    traceparent: showTrace(traceOf(name => view.header(name))),
    rule: '',
    audits: [],
  };
}
