/** `namerctl apply|get|delete|diff|validate|status`: objects of all kinds as documents. */

import type { Command } from 'commander';
import { stringify } from 'yaml';
import {
  type JsonObject,
  KIND_FACTS,
  KINDS,
  type Kind,
  kindOf,
  type ObjectStatus,
  plainResource,
  type Resource,
  resourceKey,
} from '../resources/index.ts';
import type { ApiClient } from './api-client.ts';
import { nameOf, readDocuments } from './input.ts';
import { unifiedDiff } from './line-diff.ts';
import { EXIT_FAILED, type Terminal, table, UsageError } from './terminal.ts';

/** As namerd shows objects. */
interface ShownObject {
  apiVersion: string;
  kind: Kind;
  metadata: { name: string; namespace?: string; resourceVersion?: string };
  spec: JsonObject;
  status?: { state: string; source: string; messages: string[] };
}

interface PutAnswer {
  created: boolean;
  status: ObjectStatus[];
}

interface FileFlags {
  filename: string[];
}

interface NamespaceFlags {
  namespace: string;
}

export function addResourceCommands(program: Command, terminal: Terminal, client: () => ApiClient): void {
  const withFiles = (command: Command) =>
    command.requiredOption(
      '-f, --filename <file>',
      "a file, a directory of *.yaml, or '-' for standard input; may be repeated",
      (file: string, all: string[] = []) => [...all, file],
    );

  withFiles(program.command('apply'))
    .description('Create or change the objects of files; nothing is changed if one of them is bad')
    .option('--dry-run', 'only say what would happen')
    .action(async ({ filename, dryRun = false }: FileFlags & { dryRun?: boolean }) => {
      const api = client();
      const resources = (await readDocuments(filename, terminal)).map(({ resource }) => resource);
      // All are tried before the first is changed, so that a refusal leaves no half of a set.
      for (const resource of resources) await put(api, resource, true);
      for (const resource of resources) await apply(api, resource, dryRun);
    });

  async function apply(api: ApiClient, resource: Resource, dryRun: boolean): Promise<void> {
    const stored = await api.find<ShownObject>(segments(resource));
    if (stored !== undefined && unifiedDiff(shownYaml(stored), yamlOf(resource), '', '') === undefined) {
      terminal.out(`${nameOf(resource)} unchanged`);
      return;
    }
    const { created, status } = await put(api, resource, dryRun);
    terminal.out(`${nameOf(resource)} ${created ? 'created' : 'changed'}${dryRun ? ' (dry run)' : ''}`);
    for (const message of status.flatMap(({ messages }) => messages)) terminal.err(`warning: ${message}`);
  }

  withFiles(program.command('diff'))
    .description('Show what apply would change; exit code 1 if anything')
    .action(async ({ filename }: FileFlags) => {
      const api = client();
      for (const { resource, file } of await readDocuments(filename, terminal)) {
        const stored = await api.find<ShownObject>(segments(resource));
        const before = stored === undefined ? '' : shownYaml(stored);
        const diff = unifiedDiff(before, yamlOf(resource), `namerd ${nameOf(resource)}`, file);
        if (diff === undefined) continue;
        terminal.out(diff);
        terminal.exitCode(EXIT_FAILED);
      }
    });

  withFiles(program.command('validate'))
    .description('Check files without a namerd')
    .action(async ({ filename }: FileFlags) => {
      const documents = await readDocuments(filename, terminal);
      terminal.out(`${documents.length} documents are good`);
    });

  program
    .command('get <kind> [name]')
    .description("Show objects; 'all' for every kind")
    .option('-n, --namespace <namespace>', 'the namespace of the object, or the only one to list')
    .option('-o, --output <form>', 'table, yaml or json; by default a table, and yaml for one object')
    .action(
      async (
        word: string,
        name: string | undefined,
        flags: Partial<NamespaceFlags> & { output?: string },
      ) => {
        const api = client();
        if (name !== undefined) {
          const object = await api.json<ShownObject>([
            'resources',
            ...named(kindNamed(word), name, flags.namespace),
          ]);
          show([object], flags.output ?? 'yaml', true);
          return;
        }
        const lists = await Promise.all(
          (word === 'all' ? KINDS : [kindNamed(word)]).map(kind =>
            api.json<{ items: ShownObject[] }>(['resources', KIND_FACTS[kind].plural], {
              query: { namespace: KIND_FACTS[kind].namespaced ? flags.namespace : undefined },
            }),
          ),
        );
        show(
          lists.flatMap(({ items }) => items),
          flags.output ?? 'table',
          false,
        );
      },
    );

  function show(objects: readonly ShownObject[], form: string, single: boolean): void {
    if (form === 'json') terminal.out(JSON.stringify(single ? objects[0] : objects, null, 2));
    else if (form === 'yaml')
      terminal.out(objects.map(each => stringify(each, { lineWidth: 0 }).trimEnd()).join('\n---\n'));
    else if (form === 'table') showTable(objects);
    else throw new UsageError(`'${form}' is no output form: table, yaml, json`);
  }

  function showTable(objects: readonly ShownObject[]): void {
    if (objects.length === 0) terminal.err('nothing is there');
    else
      terminal.out(
        table([
          ['KIND', 'NAME', 'STATUS', 'VERSION', 'SOURCE'],
          ...objects.map(({ kind, metadata, status }) => [
            kind,
            resourceKey({ namespace: '', ...metadata }),
            status?.state ?? '',
            metadata.resourceVersion ?? '-',
            status?.source ?? '',
          ]),
        ]),
      );
  }

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
    .action(
      async (
        word: string | undefined,
        name: string | undefined,
        { filename, namespace, version }: Partial<FileFlags & NamespaceFlags> & { version?: string },
      ) => {
        const api = client();
        if ((filename === undefined) === (word === undefined || name === undefined))
          throw new UsageError('give either a kind and a name, or files with -f');
        const targets =
          word !== undefined && name !== undefined
            ? [named(kindNamed(word), name, namespace)]
            : (await readDocuments(filename ?? [], terminal)).map(({ resource }) =>
                segments(resource).slice(1),
              );
        const headers: Record<string, string> = version === undefined ? {} : { 'if-match': `"${version}"` };
        for (const target of targets) {
          await api.ask(['resources', ...target], { method: 'DELETE', headers });
          terminal.out(`${target.join('/')} deleted`);
        }
      },
    );

  program
    .command('status')
    .description('List all objects with errors or warnings; exit code 1 if there are errors')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: true }) => {
      const all = await client().json<ObjectStatus[]>(['status']);
      const found = all.filter(({ state }) => state !== 'ok');
      if (json) terminal.out(JSON.stringify(found, null, 2));
      else if (found.length === 0) terminal.out('all objects are good');
      for (const status of json ? [] : found) terminal.out(statusText(status));
      if (found.some(({ state }) => state === 'error')) terminal.exitCode(EXIT_FAILED);
    });
}

function put(api: ApiClient, resource: Resource, dryRun: boolean): Promise<PutAnswer> {
  const version = resource.metadata.resourceVersion;
  return api.json<PutAnswer>(segments(resource), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    query: { dryRun: dryRun ? 'true' : undefined },
    body: JSON.stringify(plainResource(resource, version)),
  });
}

function statusText({ state, kind, key, source, messages }: ObjectStatus): string {
  const head = [`${state}:`, kind, key, key === '' || source !== 'storage' ? `(${source})` : ''];
  return [head.filter(part => part !== '').join(' '), ...messages.map(message => `  ${message}`)].join('\n');
}

/** The object's place in the API. */
function segments({ kind, metadata }: Resource): string[] {
  return ['resources', KIND_FACTS[kind].plural, ...resourceKey(metadata).split('/')];
}

/** `<name>` with a namespace beside it, or `<namespace>/<name>`. */
function named(kind: Kind, name: string, namespace: string | undefined): string[] {
  const { plural, namespaced } = KIND_FACTS[kind];
  if (!namespaced) return [plural, name];
  const slash = name.indexOf('/');
  if (slash < 0) return [plural, namespace ?? 'default', name];
  if (namespace !== undefined && namespace !== name.slice(0, slash))
    throw new UsageError(`--namespace says ${namespace}, the name says ${name.slice(0, slash)}`);
  return [plural, name.slice(0, slash), name.slice(slash + 1)];
}

function kindNamed(word: string): Kind {
  const kind = kindOf(word);
  if (kind !== undefined) return kind;
  throw new UsageError(
    `there is no kind '${word}': ${KINDS.map(each => KIND_FACTS[each].plural).join(', ')}`,
  );
}

/** Both sides of a comparison without versions and status. */
function yamlOf(resource: Resource): string {
  return stringify(plainResource(resource), { lineWidth: 0 });
}

function shownYaml({ status: _status, ...object }: ShownObject): string {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  return stringify({ ...object, metadata }, { lineWidth: 0 });
}
