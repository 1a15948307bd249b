/** Which policy worker works for which pod: most share a few, some namespaces have one of their own. */

export interface PolicyWorkers {
  /** Number of shared ones. */
  shared: number;
  /** Namespaces with a worker of their own: what others do there costs them nothing, and the other way round. */
  isolated: readonly string[];
}

/** @param pod as in `PodIdentity`: id `dev:inode` spreads the pods over the shared workers. */
export function policyWorkerOf(
  pod: { id: string; namespace: string },
  { shared, isolated }: PolicyWorkers,
): string {
  if (isolated.includes(pod.namespace)) return isolatedPolicyWorker(pod.namespace);
  return sharedPolicyWorker(shared === 1 ? 0 : hash(pod.id) % shared);
}

export function sharedPolicyWorker(index: number): string {
  return `policy-${index}`;
}

export function isolatedPolicyWorker(namespace: string): string {
  return `policy/${namespace}`;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
