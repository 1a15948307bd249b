/** Dtabs as people read and write them. */

import { type Dtab, parseDtab, showTree } from '#names';
import { UsageError } from '../terminal.ts';

export interface DentryJson {
  prefix: string;
  dst: string;
}

/** `# version X` and one dentry a line, arrows aligned; reads back as the same dtab. */
export function prettyDtab(dentries: readonly DentryJson[], version: string | undefined): string {
  const width = Math.max(0, ...dentries.map(({ prefix }) => prefix.length));
  const lines = dentries.map(({ prefix, dst }) => `${prefix.padEnd(width)} => ${dst} ;`);
  return [...(version === undefined ? [] : [versionLine(version)]), ...lines].join('\n');
}

export function plainDtab(dentries: readonly DentryJson[], version: string | undefined): string {
  const text = dentries.map(({ prefix, dst }) => `${prefix}=>${dst}`).join(';');
  return version === undefined ? text : `${versionLine(version)}\n${text}`;
}

export interface DtabInput {
  /** Ready to be sent as `application/dtab`. */
  text: string;
  /** The version that the input was made from, when it says so. */
  version: string | undefined;
}

/**
 * Reads what `dtab get` prints, in either form, or a JSON array of dentries, or the dtab itself.
 * @throws UsageError, NameSyntaxError
 */
export function readDtabInput(input: string): DtabInput {
  if (!/^\s*[[{]/.test(input)) {
    const version = /^# version (\S+)\s*$/m.exec(input.split('\n', 1)[0] ?? '')?.[1];
    parseDtab(input);
    return { text: input, version };
  }
  const value = parseJson(input);
  const { version, dtab } = (Array.isArray(value) ? { dtab: value } : value) as {
    version?: string;
    dtab?: unknown;
  };
  if (!Array.isArray(dtab))
    throw new UsageError('the JSON must be {"version": …, "dtab": […]} or an array of dentries');
  return { text: showDentries(parseDentries(dtab)), version };
}

function parseJson(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch (error) {
    throw new UsageError(`the input is no JSON: ${(error as Error).message}`);
  }
}

function parseDentries(list: readonly unknown[]): Dtab {
  const texts = list.map(entry => {
    const { prefix, dst } = (entry ?? {}) as Partial<DentryJson>;
    if (typeof prefix !== 'string' || typeof dst !== 'string')
      throw new UsageError('every dentry is {"prefix": …, "dst": …}');
    return `${prefix} => ${dst} ;\n`;
  });
  return parseDtab(texts.join(''));
}

function showDentries(dtab: Dtab): string {
  return dtab.dentries.map(({ prefix, dst }) => `${prefix.show} => ${showTree(dst)} ;\n`).join('');
}

function versionLine(version: string): string {
  return `# version ${version}`;
}
