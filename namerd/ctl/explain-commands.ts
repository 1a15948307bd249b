/** `namerctl delegate|bind`: where a name leads, and why. */

import type { Command } from 'commander';
import { parseDtab, parsePath } from '#names';
import type { ApiClient } from './api-client.ts';
import type { Terminal } from './terminal.ts';
import { type TreeJson, treeText } from './text/tree-text.ts';

interface Flags {
  namespace: string;
  dtab?: string;
  json?: true;
}

export function addExplainCommands(program: Command, terminal: Terminal, client: () => ApiClient): void {
  add('delegate', 'Show every dentry that is tried for a name, and what comes of it');
  add('bind', 'Show what a name is bound to');

  function add(verb: 'delegate' | 'bind', description: string): void {
    program
      .command(`${verb} <path>`)
      .description(description)
      .option('-n, --namespace <namespace>', 'the dtab namespace', 'default')
      .option('--dtab <dtab>', 'dentries that are appended to the dtab, as a request could bring them')
      .option('--json', 'print JSON')
      .action(async (path: string, { namespace, dtab, json }: Flags) => {
        // Mistakes are shown here, with their place, before anybody is asked.
        parsePath(path);
        if (dtab !== undefined) parseDtab(dtab);
        const tree = await client().json<TreeJson>([verb, namespace], { query: { path, dtab } });
        terminal.out(
          json ? JSON.stringify(tree, null, 2) : `${verb === 'bind' ? `${path}\n` : ''}${treeText(tree)}`,
        );
      });
  }
}
