/** `namerctl get|delete|status`: the objects that namerd has. */

import type { Command } from 'commander';
import { stringify } from 'yaml';
import { KIND_FACTS, KINDS, type ObjectStatus, resourceKey } from '../resources/index.ts';
import type { ApiClient } from './api-client.ts';
import { readDocuments } from './input.ts';
import { kindNamed, namedPath, resourcePath, type ShownObject } from './resource-api.ts';
import { EXIT_FAILED, type Terminal, table, UsageError } from './terminal.ts';

interface GetFlags {
  namespace?: string;
  output?: string;
}

interface DeleteFlags {
  namespace?: string;
  filename?: string[];
  version?: string;
}

export function addObjectCommands(program: Command, terminal: Terminal, client: () => ApiClient): void {
  program
    .command('get <kind> [name]')
    .description("Show objects; 'all' for every kind")
    .option('-n, --namespace <namespace>', 'the namespace of the object, or the only one to list')
    .option('-o, --output <form>', 'table, yaml or json; by default a table, and yaml for one object')
    .action((kind: string, name: string | undefined, flags: GetFlags) =>
      name === undefined ? list(kind, flags, terminal, client()) : get(kind, name, flags, terminal, client()),
    );
  program
    .command('delete [kind] [name]')
    .description('Delete an object, or the objects of files')
    .option('-n, --namespace <namespace>', 'the namespace of the object')
    .option(
      '-f, --filename <file>',
      'the objects of this file; may be repeated',
      (file: string, all: string[] = []) => [...all, file],
    )
    .option('--version <version>', 'only if this is still the version that is stored')
    .action((kind: string | undefined, name: string | undefined, flags: DeleteFlags) =>
      remove(kind, name, flags, terminal, client()),
    );
  program
    .command('status')
    .description('List all objects with errors or warnings; exit code 1 if there are errors')
    .option('--json', 'print JSON')
    .action((flags: { json?: true }) => status(flags, terminal, client()));
}

async function get(
  kind: string,
  name: string,
  { namespace, output = 'yaml' }: GetFlags,
  terminal: Terminal,
  api: ApiClient,
): Promise<void> {
  const object = await api.json<ShownObject>(namedPath(kindNamed(kind), name, namespace));
  terminal.out(output === 'json' ? JSON.stringify(object, null, 2) : shown([object], output));
}

async function list(
  word: string,
  { namespace, output = 'table' }: GetFlags,
  terminal: Terminal,
  api: ApiClient,
): Promise<void> {
  const kinds = word === 'all' ? KINDS : [kindNamed(word)];
  const lists = await Promise.all(
    kinds.map(kind => {
      const { plural, namespaced } = KIND_FACTS[kind];
      const query = { namespace: namespaced ? namespace : undefined };
      return api.json<{ items: ShownObject[] }>(['resources', plural], { query });
    }),
  );
  const objects = lists.flatMap(({ items }) => items);
  const text = shown(objects, output);
  if (objects.length === 0 && output === 'table') terminal.err('nothing is there');
  else terminal.out(text);
}

/** @throws UsageError */
function shown(objects: readonly ShownObject[], form: string): string {
  if (form === 'json') return JSON.stringify(objects, null, 2);
  if (form === 'yaml')
    return objects.map(each => stringify(each, { lineWidth: 0 }).trimEnd()).join('\n---\n');
  if (form !== 'table') throw new UsageError(`'${form}' is no output form: table, yaml, json`);
  return table([
    ['KIND', 'NAME', 'STATUS', 'VERSION', 'SOURCE'],
    ...objects.map(({ kind, metadata, status }) => [
      kind,
      resourceKey({ namespace: '', ...metadata }),
      status?.state ?? '',
      metadata.resourceVersion ?? '-',
      status?.source ?? '',
    ]),
  ]);
}

async function remove(
  kind: string | undefined,
  name: string | undefined,
  { filename, namespace, version }: DeleteFlags,
  terminal: Terminal,
  api: ApiClient,
): Promise<void> {
  const named =
    kind === undefined || name === undefined ? undefined : namedPath(kindNamed(kind), name, namespace);
  if ((named === undefined) === (filename === undefined) || (kind !== undefined && name === undefined))
    throw new UsageError('give either a kind and a name, or files with -f');
  const documents = await readDocuments(filename ?? [], terminal);
  const paths = named === undefined ? documents.map(({ resource }) => resourcePath(resource)) : [named];
  const headers: Record<string, string> = version === undefined ? {} : { 'if-match': `"${version}"` };
  for (const path of paths) {
    await api.ask(path, { method: 'DELETE', headers });
    terminal.out(`${path.slice(1).join('/')} deleted`);
  }
}

async function status({ json }: { json?: true }, terminal: Terminal, api: ApiClient): Promise<void> {
  const all = await api.json<ObjectStatus[]>(['status']);
  const found = all.filter(({ state }) => state !== 'ok');
  if (json) terminal.out(JSON.stringify(found, null, 2));
  else terminal.out(found.length === 0 ? 'all objects are good' : found.map(statusText).join('\n'));
  if (found.some(({ state }) => state === 'error')) terminal.exitCode(EXIT_FAILED);
}

function statusText({ state, kind, key, source, messages }: ObjectStatus): string {
  const place = key === '' || source !== 'storage' ? `(${source})` : '';
  const head = [`${state}:`, kind, key, place].filter(part => part !== '').join(' ');
  return [head, ...messages.map(message => `  ${message}`)].join('\n');
}
