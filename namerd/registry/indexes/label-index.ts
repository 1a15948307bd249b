/** Which workloads a selector selects, without looking at every workload. */

import { keyOf, type Workload } from '../model.ts';

export class LabelIndex {
  /** `<namespace> <label>=<value>` → keys of workloads. Neither part can hold a blank. */
  readonly #keys = new Map<string, Set<string>>();

  add(workload: Workload): void {
    const key = keyOf(workload);
    for (const pair of pairsOf(workload.namespace, workload.labels)) {
      const keys = this.#keys.get(pair);
      if (keys === undefined) this.#keys.set(pair, new Set([key]));
      else keys.add(key);
    }
  }

  remove(workload: Workload): void {
    const key = keyOf(workload);
    for (const pair of pairsOf(workload.namespace, workload.labels)) {
      const keys = this.#keys.get(pair);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(pair);
    }
  }

  /** Keys of the workloads that have all labels of the selector, sorted; none for an empty selector. */
  selected(namespace: string, selector: Readonly<Record<string, string>>): string[] {
    const sets = pairsOf(namespace, selector).map(pair => this.#keys.get(pair));
    if (sets.length === 0) return [];
    const known = sets.filter(set => set !== undefined).sort((a, b) => a.size - b.size);
    const [smallest, ...others] = known;
    if (known.length < sets.length || smallest === undefined) return [];
    return [...smallest].filter(key => others.every(set => set.has(key))).sort();
  }
}

/** True when the labels hold every pair of the selector, which is not empty. */
export function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector);
  return (
    wanted.length > 0 &&
    wanted.every(([label, value]) => Object.hasOwn(labels, label) && labels[label] === value)
  );
}

function pairsOf(namespace: string, labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([label, value]) => `${namespace} ${label}=${value}`);
}
