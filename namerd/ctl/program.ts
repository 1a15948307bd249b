/** The command line of namerctl, and how its failures are told. */

import { Command, CommanderError } from 'commander';
import { MeshError, messageOf } from '#base/errors.ts';
import { ApiClient } from './api-client.ts';
import { addAuthorityCommands } from './authority-commands.ts';
import { addDocumentCommands } from './document-commands.ts';
import { addDtabCommands } from './dtab-commands.ts';
import { addExplainCommands } from './explain-commands.ts';
import { addObjectCommands } from './object-commands.ts';
import { baseUrl, DEFAULT_BASE_URL, type SettingFlags } from './settings.ts';
import { EXIT_FAILED, EXIT_USAGE, type Terminal, UsageError } from './terminal.ts';

/** Runs one command; never rejects. @param args without the program's name */
export async function runNamerctl(args: readonly string[], terminal: Terminal): Promise<void> {
  const program = new Command('namerctl')
    .description("Names, policies and objects of a mesh, through namerd's control API")
    .option('--base-url <url>', `where namerd is (NAMERCTL_BASE_URL; default ${DEFAULT_BASE_URL})`)
    .option(
      '--config <file>',
      "a file with 'base-url' (default: .namerctl.yaml in this directory or one above)",
    )
    .exitOverride()
    .configureOutput({
      writeOut: text => terminal.out(text.replace(/\n$/, '')),
      writeErr: text => terminal.err(text.replace(/\n$/, '')),
    });
  const client = () => new ApiClient(baseUrl(program.opts<SettingFlags>(), terminal), terminal.fetch);
  addDtabCommands(program, terminal, client);
  addExplainCommands(program, terminal, client);
  addDocumentCommands(program, terminal, client);
  addObjectCommands(program, terminal, client);
  addAuthorityCommands(program, terminal, client);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    fail(error, terminal);
  }
}

function fail(error: unknown, terminal: Terminal): void {
  if (error instanceof CommanderError) {
    // Its message has been written already; help and version are no failures.
    if (error.exitCode !== 0) terminal.exitCode(EXIT_USAGE);
    return;
  }
  terminal.err(`namerctl: ${messageOf(error)}`);
  if (error instanceof MeshError && error.next !== undefined) terminal.err(error.next);
  terminal.exitCode(error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED);
}
