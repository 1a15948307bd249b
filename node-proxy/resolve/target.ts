/** Where an original destination leads, compiled for the data path. */

import type { AddressState } from '#api';
import { compileTree, type EndpointTable, NamePicker, ReplicaPicker } from '../balance/index.ts';

export type Target =
  | { kind: 'service'; service: string; name: string; picker: NamePicker }
  | { kind: 'workload'; picker: NamePicker }
  | { kind: 'foreign' }
  | { kind: 'refused'; reason: 'unserved_port' | 'binding_failed'; message: string };

/** Endpoints are taken from the table; give them back with {@link releaseTarget}. */
export function compileTarget(state: AddressState, table: EndpointTable): Target {
  switch (state.target) {
    case 'foreign':
      return { kind: 'foreign' };
    case 'unserved':
      return {
        kind: 'refused',
        reason: 'unserved_port',
        message: `${state.namespace}/${state.service} has no such port`,
      };
    case 'workload': {
      const endpoint = table.acquire(state.replica);
      const picker =
        endpoint === undefined
          ? new NamePicker([{ weight: 1, none: 'no_endpoints' }])
          : new NamePicker([{ weight: 1, picker: new ReplicaPicker(state.replica.workload, [endpoint]) }]);
      return { kind: 'workload', picker };
    }
    case 'service': {
      const service = `${state.namespace}/${state.service}`;
      if (state.bound.state === 'failed') {
        return {
          kind: 'refused',
          reason: 'binding_failed',
          message: `${state.name}: ${state.bound.message}`,
        };
      }
      return { kind: 'service', service, name: state.name, picker: compileTree(state.bound.tree, table) };
    }
  }
}

export function releaseTarget(target: Target, table: EndpointTable): void {
  if (target.kind === 'service' || target.kind === 'workload') target.picker.release(table);
}
