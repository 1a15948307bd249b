/** From workloads to replicas. */

import type { Replica, ReplicaSet } from '#api';
import { formatEndpoint } from '#base/net.ts';
import { Path } from '#names';
import { keyOf, type PortState, type ServicePort, type Workload, type WorkloadState } from './model.ts';

/** The workload as a place that can be connected to at this address and port. */
export function replicaAt(
  { workload, identity, hbone }: WorkloadState,
  ip: string,
  port: number,
  weight = workload.weight,
): Replica {
  return {
    address: formatEndpoint(ip, port),
    workload: keyOf(workload),
    node: workload.node,
    identity,
    hbone,
    zone: workload.zone,
    weight,
    terminating: workload.terminating,
  };
}

/** The last element of the port's name. */
export function portLabel({ name, port }: ServicePort): string {
  return name === '' ? String(port) : name;
}

/** The name under which a service's port is asked for. @param port its label */
export function serviceName(namespace: string, service: string, port: string): Path {
  return Path.of('svc', namespace, service, port);
}

/**
 * Who serves the port: every selected workload that is ready, has an address and the port. Nobody is still an
 * answer (bound to no one), as Kubernetes has it; only a service or port that does not exist is none.
 * @param before the last answer, returned again when nothing changed
 */
export function portState(
  port: ServicePort,
  selected: readonly WorkloadState[],
  before: PortState | undefined,
): PortState {
  const replicas: Replica[] = [];
  for (const state of selected) {
    const { ready, addresses } = state.workload;
    const [ip] = addresses;
    const target = targetPort(port, state.workload);
    if (ready && ip !== undefined && target !== undefined) replicas.push(replicaAt(state, ip, target));
  }
  if (before !== undefined && samePort(before.port, port) && sameReplicas(before.replicas, replicas))
    return before;
  return { port, label: portLabel(port), replicas: { state: 'bound', replicas } };
}

/** A workload may not have the named port: then it does not serve it. */
export function targetPort({ target }: ServicePort, { ports }: Workload): number | undefined {
  if (typeof target === 'number') return target;
  // A port may be called like a property that every object has.
  return Object.hasOwn(ports, target) ? ports[target] : undefined;
}

function samePort(a: ServicePort, b: ServicePort): boolean {
  return a.name === b.name && a.port === b.port && a.target === b.target && a.appProtocol === b.appProtocol;
}

function sameReplicas(before: ReplicaSet, now: readonly Replica[]): boolean {
  if (before.state !== 'bound' || before.replicas.length !== now.length) return false;
  return before.replicas.every((old, i) => {
    const other = now[i];
    return other !== undefined && sameReplica(old, other);
  });
}

export function sameReplica(a: Replica, b: Replica): boolean {
  return (
    a.address === b.address &&
    a.workload === b.workload &&
    a.node === b.node &&
    a.identity === b.identity &&
    a.hbone === b.hbone &&
    a.zone === b.zone &&
    a.weight === b.weight &&
    a.terminating === b.terminating
  );
}
