/**
 * The registry of the demo as the YAML files that namerd reads: one file per service and workload, each
 * replaced atomically. Also answers which replicas are ready, for the stand-in of kube-proxy.
 */

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { VirtualPort } from '../ground/service-vips.ts';
import type { ServiceSpec, WorkloadSpec } from '../inventory.ts';

export interface WorkloadState {
  /** Known once the pod is on the network. */
  ip?: string;
  ready: boolean;
  terminating: boolean;
}

export class RegistryFiles {
  readonly folder: string;
  readonly #services: readonly ServiceSpec[];
  readonly #workloads = new Map<string, { spec: WorkloadSpec; state: WorkloadState }>();

  constructor(folder: string, services: readonly ServiceSpec[]) {
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.#services = services;
    for (const service of services)
      this.#write(`service.${service.namespace}.${service.name}`, document(service));
  }

  set(spec: WorkloadSpec, state: WorkloadState): void {
    this.#workloads.set(fileOf(spec), { spec, state });
    this.#write(fileOf(spec), {
      apiVersion: 'nodemesh.io/v1alpha1',
      kind: 'Workload',
      metadata: { name: spec.name, namespace: spec.namespace, labels: spec.labels },
      spec: {
        node: `node-${spec.node}`,
        serviceAccount: spec.serviceAccount,
        ...(state.ip === undefined ? {} : { addresses: [state.ip] }),
        ready: state.ready,
        terminating: state.terminating,
      },
    });
  }

  remove(spec: WorkloadSpec): void {
    this.#workloads.delete(fileOf(spec));
    rmSync(join(this.folder, `${fileOf(spec)}.yaml`), { force: true });
  }

  virtualPorts(): VirtualPort[] {
    const workloads = [...this.#workloads.values()];
    return this.#services.map(({ vip, port, targetPort, namespace, selector }) => {
      const serving = workloads.filter(
        ({ spec, state }) =>
          spec.namespace === namespace &&
          state.ready &&
          !state.terminating &&
          Object.entries(selector).every(([key, value]) => spec.labels[key] === value),
      );
      return { vip, port, replicas: serving.map(({ state }) => `${state.ip}:${targetPort}`) };
    });
  }

  #write(name: string, content: unknown): void {
    const path = join(this.folder, `${name}.yaml`);
    writeFileSync(`${path}.new`, stringify(content));
    renameSync(`${path}.new`, path);
  }
}

function fileOf({ namespace, name }: WorkloadSpec): string {
  return `workload.${namespace}.${name}`;
}

function document({ name, namespace, vip, port, targetPort, portName, selector }: ServiceSpec): unknown {
  return {
    apiVersion: 'nodemesh.io/v1alpha1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { addresses: [vip], ports: [{ name: portName, port, targetPort }], selector },
  };
}
