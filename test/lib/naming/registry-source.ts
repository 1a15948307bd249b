/** A registry whose documents a test sets directly. */

import { Cell } from '#base/watch.ts';
import {
  type EnrolmentStore,
  Registry,
  type RegistrySnapshot,
  type RegistrySource,
  type Service,
  type Workload,
} from '../../../namerd/registry/index.ts';
import type { ObjectStatus } from '../../../namerd/resources/index.ts';

export function service(name: string, more: Partial<Service> = {}): Service {
  return {
    namespace: 'default',
    name,
    labels: {},
    annotations: {},
    addresses: [],
    ports: [{ name: 'http', port: 80, target: 8080, appProtocol: '' }],
    selector: { app: name },
    ...more,
  };
}

export function workload(name: string, app: string, ip: string, more: Partial<Workload> = {}): Workload {
  return {
    namespace: 'default',
    name,
    labels: { app },
    annotations: {},
    node: 'node-1',
    serviceAccount: 'default',
    addresses: ip === '' ? [] : [ip],
    ports: {},
    zone: '',
    weight: 1,
    ready: true,
    terminating: false,
    ...more,
  };
}

export class TestSource implements RegistrySource {
  readonly snapshot = new Cell<RegistrySnapshot>({ services: [], workloads: [] });
  readonly status = new Cell<readonly ObjectStatus[]>([]);
  readonly #name: string;

  constructor(name = 'test') {
    this.#name = name;
  }

  set(services: readonly Service[], workloads: readonly Workload[] = []): void {
    this.snapshot.set({
      services: services.map(value => ({ value, source: this.#name })),
      workloads: workloads.map(value => ({ value, source: this.#name })),
    });
  }
}

export async function registryOf(
  sources: readonly RegistrySource[],
  enrolment?: EnrolmentStore,
): Promise<Registry> {
  return Registry.open({ sources, trustDomain: 'mesh.test', ...(enrolment && { enrolment }) });
}
