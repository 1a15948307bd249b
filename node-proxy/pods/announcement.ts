/** What the workers are told of the pods: who they are, and what judges their callers. */

import type { NodeState, NodeWorkload } from '#api';
import type { PodSpec } from '../workers/messages.ts';
import type { Pod } from './pod.ts';

/** Of every pod that is served, on its way in and out too. */
export function specsOf(
  pods: readonly Pod[],
  state: NodeState | undefined,
  workloadOf: (pod: Pod) => NodeWorkload | undefined,
): PodSpec[] {
  const policies = new Map(state?.policies.map(policy => [policy.id, policy]));
  return pods.flatMap(pod => {
    const who = pod.state.is === 'outside' ? undefined : pod.state.who;
    if (who === undefined) return [];
    const workload = workloadOf(pod);
    const bodies = workload?.policies.map(id => policies.get(id));
    // A policy that is named but missing would fail open if it were skipped.
    const whole = bodies?.every(body => body !== undefined) ? bodies : undefined;
    const rules =
      workload === undefined || whole === undefined
        ? undefined
        : { policies: whole, transport: workload.transport };
    const http = workload?.http;
    return [{ who, netnsFd: pod.netns.fd, rules, ...(http === undefined ? {} : { http }) }];
  });
}
