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

export function select(
  namespace: string,
  workload: NodeWorkload | undefined,
  forced: Forced,
  config: EnrolmentConfig,
): Selection {
  if (config.excludedNamespaces.includes(namespace))
    return { enrolled: false, because: 'excluded namespace' };
  if (forced !== undefined) return { enrolled: forced === 'in', because: 'command' };
  if (workload?.mesh === 'enabled' || workload?.mesh === 'disabled') {
    return { enrolled: workload.mesh === 'enabled', because: 'label nodemesh.io/mesh of the workload' };
  }
  const enrolled = config.namespaces.includes(namespace);
  return { enrolled, because: enrolled ? 'namespace' : 'not asked for' };
}
