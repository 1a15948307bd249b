/** `Dtab`: a delegation table as a document, either as text or as a list of entries. */

import type { ConfigNode, Fields } from '#base/config.ts';
import { type Dentry, Dtab, NameSyntaxError, parseDtab, parseNameTree, parsePrefix } from '#names';

/** More than this is a mistake, and every look-up walks the whole table. */
export const MAX_DENTRIES = 10_000;

/** @param spec the fields of `spec`; every problem is reported there, at the offending character. */
export function readDtab(spec: Fields): Dtab {
  const text = spec.get('dtab');
  const entries = spec.get('dentries');
  spec.finish();
  if (text !== undefined && entries !== undefined)
    entries.problem("give either 'dtab' or 'dentries', not both");
  if (text !== undefined) return limited(text, readText(text));
  if (entries !== undefined) return limited(entries, readEntries(entries));
  spec.node.problem("the field 'dtab' (text) or 'dentries' (list of prefix and dst) is missing");
  return Dtab.empty;
}

/** A dtab written as one YAML text, in any scalar style. */
export function readText(node: ConfigNode): Dtab {
  const text = node.string();
  return (text === undefined ? undefined : parsed(node, text, parseDtab)) ?? Dtab.empty;
}

function readEntries(node: ConfigNode): Dtab {
  const dentries = node.items().map(readEntry);
  return Dtab.of(dentries.filter(dentry => dentry !== undefined));
}

function readEntry(node: ConfigNode): Dentry | undefined {
  const fields = node.fields();
  const prefix = readNamed(fields.need('prefix'), parsePrefix);
  const dst = readNamed(fields.need('dst'), parseNameTree);
  fields.finish();
  return prefix === undefined || dst === undefined ? undefined : { prefix, dst };
}

function readNamed<T>(node: ConfigNode | undefined, parse: (text: string) => T): T | undefined {
  const text = node?.string();
  return node === undefined || text === undefined ? undefined : parsed(node, text, parse);
}

function parsed<T>(node: ConfigNode, text: string, parse: (text: string) => T): T | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    node.problem(error.message, error.offset);
    return undefined;
  }
}

function limited(node: ConfigNode, dtab: Dtab): Dtab {
  if (dtab.dentries.length <= MAX_DENTRIES) return dtab;
  node.problem(`${dtab.dentries.length} dentries: at most ${MAX_DENTRIES}`);
  return Dtab.empty;
}
