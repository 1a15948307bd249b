/** Who is in the mesh: an explicit command beats the workload's label, the label beats its namespace. */

import type { NodeWorkload } from '#api';

export interface EnrolmentConfig {
  /** Namespaces whose workloads are enrolled unless their label says `disabled`. */
  namespaces: readonly string[];
  /** Never enrolled, whatever else says so. */
  excludedNamespaces: readonly string[];
}

/** What a command said about a pod; kept until the opposite command or the pod's end. */
export type Forced = 'in' | 'out' | undefined;

export type Selection = { enrolled: boolean; because: string };

/** @param label the runtime's word, while the registry does not know the workload. */
export function select(
  namespace: string,
  workload: NodeWorkload | undefined,
  forced: Forced,
  config: EnrolmentConfig,
  label?: NodeWorkload['mesh'],
): Selection {
  if (config.excludedNamespaces.includes(namespace))
    return { enrolled: false, because: 'excluded namespace' };
  if (forced !== undefined) return { enrolled: forced === 'in', because: 'command' };
  const mesh = workload?.mesh ?? label;
  if (mesh === 'enabled' || mesh === 'disabled') {
    return { enrolled: mesh === 'enabled', because: 'label nodemesh.io/mesh of the workload' };
  }
  const enrolled = config.namespaces.includes(namespace);
  return { enrolled, because: enrolled ? 'namespace' : 'not asked for' };
}

/** `nodemesh.io/mesh` among a pod's labels as the runtime gives them; undefined when it gives none. */
export function meshLabel(
  labels: Readonly<Record<string, string>> | undefined,
): NodeWorkload['mesh'] | undefined {
  if (labels === undefined) return undefined;
  const mesh = labels['nodemesh.io/mesh'];
  return mesh === 'enabled' || mesh === 'disabled' ? mesh : 'unset';
}

/** Whether the registry's word could still make a pod belong that nobody else decides about. */
export function isUndecided(
  namespace: string,
  workload: NodeWorkload | undefined,
  forced: Forced,
  { excludedNamespaces }: EnrolmentConfig,
  label: NodeWorkload['mesh'] | undefined,
): boolean {
  const nobody = workload === undefined && forced === undefined && label === undefined;
  return nobody && !excludedNamespaces.includes(namespace);
}
