/** A worker's bindings as data, for `/dump`: what is known of each address and each endpoint behind it. */

import type { Resolver, Target } from '../resolve/index.ts';
import type { BindingReport, EndpointReport } from './messages.ts';

export function describeBindings(resolver: Resolver, nowMs: number): BindingReport[] {
  return Array.from(resolver.entries(), ([address, target]) => ({
    address,
    kind: target.kind,
    name: nameOf(target),
    branches: branchesOf(target, nowMs),
  }));
}

function nameOf(target: Target): string {
  if (target.kind === 'service') return target.name;
  return target.kind === 'refused' ? target.message : '';
}

function branchesOf(target: Target, nowMs: number): BindingReport['branches'] {
  if (target.kind !== 'service' && target.kind !== 'workload') return [];
  return target.picker.branches.map(branch => ({
    weight: branch.weight,
    id: 'picker' in branch ? branch.picker.id : branch.none,
    endpoints:
      'picker' in branch
        ? branch.picker.endpoints.map(
            ({ replica, accrual, open, latency }): EndpointReport => ({
              address: replica.address,
              workload: replica.workload,
              hbone: replica.hbone,
              state: replica.terminating ? `terminating, ${accrual.state}` : accrual.state,
              open,
              latencyMs: Math.round(latency.at(nowMs) * 1000) / 1000,
            }),
          )
        : [],
  }));
}
