/** `namerctl dtab …`: Linkerd's namerctl, command by command, without its defects. */

import type { Command } from 'commander';
import type { ApiClient } from './api-client.ts';
import { readInput } from './input.ts';
import { type Terminal, UsageError } from './terminal.ts';
import { type DentryJson, plainDtab, prettyDtab, readDtabInput } from './text/dtab-text.ts';

/** @param client made when a command runs, from its flags. */
export function addDtabCommands(program: Command, terminal: Terminal, client: () => ApiClient): void {
  const dtab = program
    .command('dtab')
    .description('Read and write delegation tables')
    .option('--json', 'print JSON');
  const asJson = () => dtab.opts<{ json?: true }>().json === true;

  dtab
    .command('list')
    .alias('ls')
    .description('Print the names of all dtabs')
    .action(async () => {
      const names = await client().json<string[]>(['dtabs']);
      if (asJson()) terminal.out(JSON.stringify(names));
      else if (names.length > 0) terminal.out(names.join('\n'));
    });

  dtab
    .command('get <name>')
    .alias('cat')
    .description('Print a dtab with its version')
    .option('--pretty [bool]', 'one dentry a line (default true)')
    .action(async (name: string, { pretty }: { pretty?: string | true }) => {
      const { body, etag } = await client().ask(['dtabs', name]);
      const dentries = JSON.parse(body) as DentryJson[];
      if (asJson()) terminal.out(JSON.stringify({ version: etag, dtab: dentries }));
      else terminal.out(pretty === 'false' ? plainDtab(dentries, etag) : prettyDtab(dentries, etag));
    });

  dtab
    .command('create <name> <file>')
    .alias('new')
    .description("Create a dtab from a file, '-' for standard input")
    .action(async (name: string, file: string) => {
      const { text } = readDtabInput(await readInput(file, terminal));
      await client().ask(['dtabs', name], { method: 'POST', headers: DTAB, body: text });
      terminal.out(`Created ${name}`);
    });

  dtab
    .command('update <name> <file>')
    .alias('up')
    .description("Replace a dtab by a file, '-' for standard input")
    .option('--version <version>', 'only if this is still the version that is stored')
    .action(async (name: string, file: string, flags: { version?: string }) => {
      const { text, version: own } = readDtabInput(await readInput(file, terminal));
      const version = onlyVersion(flags.version, own);
      if (version === undefined)
        terminal.err(
          'warning: without a version, changes that somebody else made meanwhile are overwritten; give --version, or keep the line "# version …" that dtab get prints',
        );
      const headers = version === undefined ? DTAB : { ...DTAB, 'if-match': `"${version}"` };
      await client().ask(['dtabs', name], { method: 'PUT', headers, body: text });
      terminal.out(`Updated ${name}`);
    });

  dtab
    .command('delete <name>')
    .aliases(['del', 'rm'])
    .description('Delete a dtab')
    .option('--version <version>', 'only if this is still the version that is stored')
    .action(async (name: string, { version }: { version?: string }) => {
      const headers: Record<string, string> = version === undefined ? {} : { 'if-match': `"${version}"` };
      await client().ask(['dtabs', name], { method: 'DELETE', headers });
      terminal.out(`Deleted ${name}`);
    });
}

const DTAB = { 'content-type': 'application/dtab' };

function onlyVersion(flag: string | undefined, own: string | undefined): string | undefined {
  if (flag !== undefined && own !== undefined && flag !== own)
    throw new UsageError(`--version says ${flag}, the input says ${own}: which one?`);
  return flag ?? own;
}
