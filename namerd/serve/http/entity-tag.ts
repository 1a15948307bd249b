/**
 * ETags and conditional requests, RFC 9110 §13.1. Ours are versions in base64, sent without quotes as
 * Linkerd's namerd does; clients may send them back with quotes or without, alone, in a list, or as `*`.
 */

export type Condition = { type: 'none' } | { type: 'any' } | { type: 'tags'; tags: readonly Tag[] };

interface Tag {
  value: string;
  weak: boolean;
}

/** Reads `If-Match` or `If-None-Match`. */
export function readCondition(header: string | undefined): Condition {
  if (header === undefined) return { type: 'none' };
  if (header.trim() === '*' || header.trim() === '"*"') return { type: 'any' };
  // Base64 has neither commas nor quotes, so this split never cuts one of our tags.
  const tags = header
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
    .map(readTag);
  return { type: 'tags', tags };
}

/** Strong comparison, for `If-Match`: weak tags never match. */
export function matchesStrongly(condition: Condition, version: string): boolean {
  if (condition.type !== 'tags') return condition.type === 'any';
  return condition.tags.some(({ value, weak }) => !weak && value === version);
}

/** Weak comparison, for `If-None-Match`. */
export function matchesWeakly(condition: Condition, version: string): boolean {
  if (condition.type !== 'tags') return condition.type === 'any';
  return condition.tags.some(({ value }) => value === version);
}

function readTag(text: string): Tag {
  const weak = text.startsWith('W/');
  const bare = weak ? text.slice(2) : text;
  const quoted = bare.length >= 2 && bare.startsWith('"') && bare.endsWith('"');
  return { value: quoted ? bare.slice(1, -1) : bare, weak };
}
