/** What is to be said about an object to the person who wrote it: shown by the API, by namerctl and in the log. */

import type { Problem } from '#base/config.ts';
import { formatProblem } from '#base/config.ts';

export type StatusState = 'ok' | 'warning' | 'error';

export interface ObjectStatus {
  /** A kind, or '' when the file could not be read so far. */
  kind: string;
  /** `<namespace>/<name>`, `<name>`, or '' when unknown. */
  key: string;
  /** Where it was written: a file, or `storage`. */
  source: string;
  /** `error`: what is written is not in force (an earlier good state may be). `warning`: in force, but look at it. */
  state: StatusState;
  /** Problems with a place begin with `file:line:column`. */
  messages: readonly string[];
}

/** The status of something whose text has problems. */
export function errorStatus(
  kind: string,
  key: string,
  source: string,
  problems: readonly Problem[],
): ObjectStatus {
  return { kind, key, source, state: 'error', messages: problems.map(formatProblem) };
}

/** Errors first, then by kind and key, so that lists are stable. */
export function sortStatus(list: readonly ObjectStatus[]): ObjectStatus[] {
  const rank = { error: 0, warning: 1, ok: 2 };
  const text = (status: ObjectStatus) =>
    `${rank[status.state]} ${status.kind} ${status.key} ${status.source}`;
  return [...list].sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}
