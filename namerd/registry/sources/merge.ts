/** Several sources as one: each object once, the first source that has it wins. */

import { type ObjectStatus, sortStatus } from '../../resources/status.ts';
import { keyOf, type RegistrySnapshot, type Service, type Sourced, type Workload } from '../model.ts';

export interface Merged {
  readonly services: ReadonlyMap<string, Sourced<Service>>;
  readonly workloads: ReadonlyMap<string, Sourced<Workload>>;
  /** Objects that stand in more than one place. */
  readonly duplicates: readonly ObjectStatus[];
}

export function mergeSnapshots(snapshots: readonly RegistrySnapshot[]): Merged {
  const duplicates: ObjectStatus[] = [];
  const services = firstOfEach(
    'Service',
    snapshots.flatMap(({ services }) => services),
    duplicates,
  );
  const workloads = firstOfEach(
    'Workload',
    snapshots.flatMap(({ workloads }) => workloads),
    duplicates,
  );
  return { services, workloads, duplicates: sortStatus(duplicates) };
}

function firstOfEach<T extends { namespace: string; name: string }>(
  kind: string,
  all: readonly Sourced<T>[],
  duplicates: ObjectStatus[],
): Map<string, Sourced<T>> {
  const first = new Map<string, Sourced<T>>();
  for (const each of all) {
    const key = keyOf(each.value);
    const winner = first.get(key);
    if (winner === undefined) first.set(key, each);
    else {
      const message = `${kind} ${key} already stands in ${winner.source}, which is in force`;
      duplicates.push({ kind, key, source: each.source, state: 'error', messages: [message] });
    }
  }
  return first;
}

/** True for documents that say the same, whether or not they are the same object. */
export function sameDocument(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
