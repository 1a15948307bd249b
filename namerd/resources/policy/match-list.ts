/**
 * Lists of a policy's rules. Whatever could be read as "matches everything" by accident is refused: an empty
 * list, an empty entry, a field with nothing behind it.
 */

import type { ConfigNode, Fields } from '#base/config.ts';
import { isEmpty, isEmptyList, limited, readList } from '../values/fields.ts';

const MAX_ENTRIES = 1_000;

export const EVERYONE =
  "to mean everyone, write from: [{ipBlocks: ['0.0.0.0/0', '::/0']}], or [{identities: ['*']}] for everyone in the mesh";

/** The entries of `from` or `to`; absent means all, so an empty list is taken for a mistake. */
export function readAlternatives<T>(node: ConfigNode | undefined, read: (fields: Fields) => T): T[] {
  if (node === undefined) return [];
  const items = limited(node, MAX_ENTRIES, 'entries');
  if (isEmptyList(node)) node.problem('an empty list matches nothing; leave the field out to match all');
  return items.map(item => {
    const fields = item.fields();
    if (isEmpty(item)) item.problem(`an entry without fields matches everything; ${EVERYONE}`);
    const entry = read(fields);
    fields.finish();
    return entry;
  });
}

/** The values of one field; undefined when it is absent. */
export function readEntries<T>(
  node: ConfigNode | undefined,
  read: (node: ConfigNode) => T | undefined,
): T[] | undefined {
  if (node === undefined) return undefined;
  if (isEmptyList(node)) node.problem('an empty list; leave the field out to match all');
  return readList(node, { max: MAX_ENTRIES, what: 'entries' }, read);
}
