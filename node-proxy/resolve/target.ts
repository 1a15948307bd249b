/** Where an original destination leads, compiled for the data path. */

import type { AddressState, NameState, ServiceHttp } from '#api';
import { compileTree, type EndpointTable, NamePicker, ReplicaPicker } from '../balance/index.ts';

export type Target =
  | {
      kind: 'service';
      /** `<namespace>/<service>` */
      service: string;
      /** `/svc/<namespace>/<service>/<port>` */
      name: string;
      /** For connections; requests have pickers of their own. */
      picker: NamePicker;
      /** Undefined: nothing asks for HTTP. */
      http?: ServiceHttp;
      /** What the name is bound to, as namerd said it. */
      bound: NameState;
    }
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
    case 'service':
      return compileService(state, table);
  }
}

function compileService(state: Extract<AddressState, { target: 'service' }>, table: EndpointTable): Target {
  const { namespace, name, bound, http } = state;
  const service = `${namespace}/${state.service}`;
  if (bound.state === 'bound') {
    const picker = compileTree(bound.tree, table);
    return { kind: 'service', service, name, picker, bound, ...(http === undefined ? {} : { http }) };
  }
  if (http === undefined)
    return { kind: 'refused', reason: 'binding_failed', message: `${name}: ${bound.message}` };
  // Routes may lead elsewhere than the service's own name.
  const picker = new NamePicker([{ weight: 1, none: 'binding_failed' }]);
  return { kind: 'service', service, name, picker, bound, http };
}

export function releaseTarget(target: Target, table: EndpointTable): void {
  if (target.kind === 'service' || target.kind === 'workload') target.picker.release(table);
}
