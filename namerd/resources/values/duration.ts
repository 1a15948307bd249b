/** Durations as the Gateway API writes them (GEP-2257): one to four numbers, each with a unit. */

import type { ConfigNode } from '#base/config.ts';

/** What a timer of the proxies can wait; a longer time would fire at once. */
export const MAX_DURATION_MS = 2_147_483_647;

const FORM = /^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/;
const PART = /(\d+)(h|ms|m|s)/g;
const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Milliseconds, or undefined if the text is no duration: no sign, no fraction, no blank, no other unit. */
export function parseDuration(text: string): number | undefined {
  if (!FORM.test(text)) return undefined;
  let total = 0;
  for (const [, digits = '', unit = ''] of text.matchAll(PART))
    total += Number(digits) * (UNIT_MS[unit] ?? 0);
  return total;
}

/** @param minMs what is shorter is refused. @returns milliseconds */
export function readDuration(node: ConfigNode | undefined, minMs = 0): number | undefined {
  if (node === undefined) return undefined;
  const { value } = node;
  const ms = typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms === undefined) {
    const shown = typeof value === 'string' || typeof value === 'number' ? `, not '${value}'` : '';
    const hint = typeof value === 'number' ? '; a number needs its unit' : '';
    node.problem(`a duration such as '500ms' or '1m30s' is expected here${shown.slice(0, 80)}${hint}`);
    return undefined;
  }
  if (ms < minMs) node.problem(`'${value}' is too short: at least ${minMs}ms`);
  else if (ms > MAX_DURATION_MS) node.problem(`'${value}' is too long: at most 596h`);
  else return ms;
  return undefined;
}
