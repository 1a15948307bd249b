/** `namerctl ca …`: what signs the mesh's certificates, and replacing it. */

import type { Command } from 'commander';
import type { AuthorityStatus } from '../ca/index.ts';
import type { ApiClient } from './api-client.ts';
import { type Terminal, table } from './terminal.ts';

export function addAuthorityCommands(program: Command, terminal: Terminal, client: () => ApiClient): void {
  const ca = program
    .command('ca')
    .description('The certificate authority of the mesh')
    .option('--json', 'print JSON');
  const show = (status: AuthorityStatus) => {
    if (ca.opts<{ json?: true }>().json) terminal.out(JSON.stringify(status, null, 2));
    else terminal.out(authorityText(status));
  };
  ca.command('status')
    .description('Show the roots that the mesh trusts, and which one signs')
    .action(async () => show(await client().json<AuthorityStatus>(['ca'])));
  ca.command('roots')
    .description('Print the roots that are trusted now, as PEM: what a new node is given')
    .action(async () => terminal.out((await client().ask(['ca', 'roots'])).body.trimEnd()));
  ca.command('rotate')
    .description('Begin to replace the root; nothing is interrupted')
    .action(async () => show(await client().json<AuthorityStatus>(['ca', 'rotate'], { method: 'POST' })));
}

function authorityText({ trustDomain, kind, roots }: AuthorityStatus): string {
  const rows = roots.map(({ phase, phaseEndsAt, notAfter, fingerprint, subject }) => [
    phase,
    phaseEndsAt === undefined ? '-' : new Date(phaseEndsAt).toISOString(),
    new Date(notAfter).toISOString(),
    fingerprint.slice(0, 23),
    subject,
  ]);
  return [
    `trust domain ${trustDomain}, root ${kind === 'own' ? 'made by namerd' : 'given by the configuration'}`,
    table([['PHASE', 'UNTIL', 'EXPIRES', 'SHA-256', 'SUBJECT'], ...rows]),
  ].join('\n');
}
