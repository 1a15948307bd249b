/**
 * Reading fields that may be left out and lists that are bounded, the same way in every kind: what is written
 * and has no value was meant to say something, so it is never taken for "absent".
 */

import type { ConfigNode, Fields } from '#base/config.ts';

/** A field that may be left out. One that is written and has no value is a problem. */
export function optional(fields: Fields, name: string): ConfigNode | undefined {
  const node = fields.get(name);
  if (node === undefined && fields.names.includes(name))
    fields.node.problem(`'${name}' has no value: give it one, or leave the field out`);
  return node;
}

/** The items of a list of at most `max`; a longer one is a problem and yields none. */
export function limited(node: ConfigNode | undefined, max: number, what: string): ConfigNode[] {
  const items = node?.items() ?? [];
  if (items.length <= max) return items;
  node?.problem(`${items.length} ${what}: at most ${max}`);
  return [];
}

/** Reads the items of a bounded list; those that could not be read have been reported and are left out. */
export function readList<T>(
  node: ConfigNode | undefined,
  { max, what }: { max: number; what: string },
  read: (item: ConfigNode) => T | undefined,
): T[] {
  return limited(node, max, what)
    .map(read)
    .filter(item => item !== undefined);
}

/** A mapping without fields. Whatever is no mapping has been reported as such. */
export function isEmpty({ value }: ConfigNode): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** A list without items; one that is too long has been reported, and is not empty. */
export function isEmptyList({ value }: ConfigNode): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A text for which `problemOf` finds nothing to say. */
export function checked(
  node: ConfigNode | undefined,
  problemOf: (text: string) => string | undefined,
): string | undefined {
  const text = node?.string();
  if (text === undefined) return undefined;
  const problem = problemOf(text);
  if (problem === undefined) return text;
  node?.problem(problem);
  return undefined;
}

/** Without the fields that are undefined, so that equal values are equal texts. */
export function withoutAbsent<T extends object>(entry: T): T {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as T;
}
