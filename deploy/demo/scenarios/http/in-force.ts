/** Routes and policies that hold for the time of a scenario. */

import type { Delivery } from '../../calculator/courier.ts';
import type { Stage } from '../../stage.ts';
import { eventually, type Findings } from '../scenario.ts';
import type { Document } from './documents.ts';

/** A change reaches the proxies by a push; namerd compiles it before. */
const IN_FORCE_MS = 5_000;

/**
 * Stores the documents, waits until `holds` shows that they act, and takes them away again in the end. They replace
 * what was stored under their names.
 */
export async function inForce(
  { mesh: { namerd } }: Stage,
  findings: Findings,
  documents: readonly Document[],
  holds: () => Promise<boolean>,
  scene: () => Promise<void>,
): Promise<void> {
  try {
    for (const document of documents) await namerd.store(document);
    const took = await eventually(holds, IN_FORCE_MS);
    const names = [...new Set(documents.map(({ kind }) => kind))].join(' and ');
    findings.add(
      `in force: ${names}`,
      `≤ ${IN_FORCE_MS} ms`,
      took === undefined ? `not within ${IN_FORCE_MS} ms` : `${took.toFixed(0)} ms`,
      took !== undefined,
    );
    await scene();
  } finally {
    for (const document of documents) await namerd.discard(document);
  }
}

/** `200 ×20, 503 ×1 (ejected)` */
export function described({ statuses, reasons }: Delivery): string {
  const counts = Object.entries(statuses).map(([status, count]) => `${status} ×${count}`);
  const why = Object.keys(reasons);
  return `${counts.join(', ') || 'nothing'}${why.length === 0 ? '' : ` (${why.join(', ')})`}`;
}

/** Answers by version: `division-1/v1` is of `v1`. */
export function byVersion({ answeredBy }: Delivery, version: string): number {
  return Object.entries(answeredBy)
    .filter(([answerer]) => answerer.endsWith(`/${version}`))
    .reduce((total, [, count]) => total + count, 0);
}
