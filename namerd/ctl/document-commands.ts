/** `namerctl apply|diff|validate`: documents in files against what namerd has. */

import type { Command } from 'commander';
import { stringify } from 'yaml';
import { documentWarnings, plainResource, type Resource } from '../resources/index.ts';
import type { ApiClient } from './api-client.ts';
import { nameOf, readDocuments } from './input.ts';
import { putResource, resourcePath, type ShownObject } from './resource-api.ts';
import { EXIT_FAILED, type Terminal } from './terminal.ts';
import { unifiedDiff } from './text/line-diff.ts';

interface FileFlags {
  filename: string[];
}

export function addDocumentCommands(program: Command, terminal: Terminal, client: () => ApiClient): void {
  withFiles(program.command('apply'))
    .description('Create or change the objects of files; nothing is changed if one of them is bad')
    .option('--dry-run', 'only say what would happen')
    .action((flags: FileFlags & { dryRun?: true }) => applyAll(flags, terminal, client()));
  withFiles(program.command('diff'))
    .description('Show what apply would change; exit code 1 if anything')
    .action((flags: FileFlags) => diffAll(flags, terminal, client()));
  withFiles(program.command('validate'))
    .description('Check files without a namerd')
    .action(async ({ filename }: FileFlags) => {
      const documents = await readDocuments(filename, terminal);
      for (const { resource } of documents)
        for (const message of documentWarnings(resource))
          terminal.err(`warning: ${nameOf(resource)}: ${message}`);
      terminal.out(`${documents.length} documents are good`);
    });
}

function withFiles(command: Command): Command {
  const collect = (file: string, all: string[] = []) => [...all, file];
  const meaning = "a file, a directory of *.yaml, or '-' for standard input; may be repeated";
  return command.requiredOption('-f, --filename <file>', meaning, collect);
}

async function applyAll(
  { filename, dryRun = false }: { filename: string[]; dryRun?: boolean },
  terminal: Terminal,
  api: ApiClient,
): Promise<void> {
  const resources = (await readDocuments(filename, terminal)).map(({ resource }) => resource);
  // All are tried before the first is changed, so that a refusal leaves no half of a set.
  for (const resource of resources) await putResource(api, resource, true);
  for (const resource of resources) {
    const name = nameOf(resource);
    if ((await difference(api, resource, '')) === undefined) {
      terminal.out(`${name} unchanged`);
      continue;
    }
    const { created, status } = await putResource(api, resource, dryRun);
    terminal.out(`${name} ${created ? 'created' : 'changed'}${dryRun ? ' (dry run)' : ''}`);
    for (const message of status.flatMap(({ messages }) => messages)) terminal.err(`warning: ${message}`);
  }
}

async function diffAll({ filename }: FileFlags, terminal: Terminal, api: ApiClient): Promise<void> {
  for (const { resource, file } of await readDocuments(filename, terminal)) {
    const diff = await difference(api, resource, file);
    if (diff === undefined) continue;
    terminal.out(diff);
    terminal.exitCode(EXIT_FAILED);
  }
}

/** What changes from namerd's object to the document, without what namerd has added; undefined if nothing. */
async function difference(api: ApiClient, resource: Resource, file: string): Promise<string | undefined> {
  const stored = await api.find<ShownObject>(resourcePath(resource));
  const before = stored === undefined ? '' : shownYaml(stored, resource);
  const after = stringify(plainResource(resource), { lineWidth: 0 });
  return unifiedDiff(before, after, `namerd ${nameOf(resource)}`, file);
}

/** A date that the document does not say stays the one that is stored. */
function shownYaml({ status: _status, ...object }: ShownObject, { metadata: written }: Resource): string {
  const { resourceVersion: _version, creationTimestamp, ...metadata } = object.metadata;
  const date = written.creationTimestamp === undefined ? {} : { creationTimestamp };
  return stringify({ ...object, metadata: { ...metadata, ...date } }, { lineWidth: 0 });
}
