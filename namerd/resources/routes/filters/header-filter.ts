/** The filters RequestHeaderModifier and ResponseHeaderModifier. Names become lower case: they mean the same. */

import type { NameValue } from '#api';
import type { ConfigNode } from '#base/config.ts';
import { checked, limited, optional } from '../../values/fields.ts';
import { changedHeaderProblem, headerValueProblem } from '../../values/header-text.ts';
import type { RouteReading } from '../reading.ts';

const MAX_ENTRIES = 16;

export interface HeaderChanges {
  set: NameValue[];
  add: NameValue[];
  remove: string[];
}

export function readHeaderChanges(node: ConfigNode, reading: RouteReading): HeaderChanges {
  const fields = node.fields();
  /** Which list has named a header: only one of them may. */
  const listOf = new Map<string, string>();
  const list = <T extends NameValue | string>(name: string, read: (item: ConfigNode) => T | undefined): T[] =>
    limited(optional(fields, name), MAX_ENTRIES, 'headers').flatMap(item => {
      const entry = read(item);
      if (entry === undefined) return [];
      const header = typeof entry === 'string' ? entry : entry.name;
      const earlier = listOf.get(header);
      listOf.set(header, name);
      if (earlier === undefined) return entry;
      if (earlier === name) reading.warn(item, `'${header}' stands here twice: the first entry counts`);
      else item.problem(`'${header}' stands in '${earlier}' too: a filter does one thing with a header`);
      return [];
    });
  const changes = {
    set: list('set', readNameValue),
    add: list('add', readNameValue),
    remove: list('remove', readName),
  };
  fields.finish();
  if (fields.names.length === 0) node.problem("a filter without 'set', 'add' or 'remove' changes nothing");
  return changes;
}

function readNameValue(node: ConfigNode): NameValue | undefined {
  const fields = node.fields();
  const name = readName(fields.need('name'));
  const value = checked(fields.need('value'), headerValueProblem);
  fields.finish();
  return name === undefined || value === undefined ? undefined : { name, value };
}

function readName(node: ConfigNode | undefined): string | undefined {
  return checked(node, changedHeaderProblem)?.toLowerCase();
}
