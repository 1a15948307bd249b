/** Reading the files that commands are given. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '#base/config.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import { type Resource, readResources, resourceKey } from '../resources/index.ts';
import type { Terminal } from './terminal.ts';

export class InputError extends MeshError {
  constructor(file: string, cause: unknown) {
    super('NM_CTL_INPUT', `${file} cannot be read: ${messageOf(cause)}`, { by: 'client', cause });
  }
}

/** The text of a file, or of standard input for `-`. @throws InputError */
export async function readInput(
  file: string,
  { cwd, input }: Pick<Terminal, 'cwd' | 'input'>,
): Promise<string> {
  try {
    return file === '-' ? await input() : readFileSync(resolve(cwd, file), 'utf8');
  } catch (error) {
    throw new InputError(file, error);
  }
}

export interface ReadDocument {
  resource: Resource;
  file: string;
}

/**
 * The documents of files, of all `*.yaml`, `*.yml` and `*.json` files of directories, and of standard input.
 * @throws ConfigError with every problem of every file; InputError
 */
export async function readDocuments(files: readonly string[], terminal: Terminal): Promise<ReadDocument[]> {
  const all = files.flatMap(file => expand(file, terminal.cwd));
  const documents: ReadDocument[] = [];
  const problems = [];
  for (const file of all) {
    const read = readResources(await readInput(file, terminal), file);
    problems.push(...read.problems);
    documents.push(...read.resources.map(resource => ({ resource, file })));
  }
  const firstFile = new Map<string, string>();
  for (const { resource, file } of documents) {
    const name = nameOf(resource);
    const first = firstFile.get(name);
    if (first === undefined) firstFile.set(name, file);
    else problems.push({ file, line: 1, column: 1, path: '', message: `${name} stands in ${first} too` });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return documents;
}

/** `Kind <namespace>/<name>` */
export function nameOf({ kind, metadata }: Resource): string {
  return `${kind} ${resourceKey(metadata)}`;
}

function expand(file: string, cwd: string): string[] {
  if (file === '-') return [file];
  try {
    if (!statSync(resolve(cwd, file)).isDirectory()) return [file];
    const names = readdirSync(resolve(cwd, file)).filter(name => /^[^.].*\.(ya?ml|json)$/.test(name));
    return names.sort().map(name => join(file, name));
  } catch (error) {
    throw new InputError(file, error);
  }
}
