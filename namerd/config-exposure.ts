/** What a configuration opens to the network without asking who is there: allowed, but to be said aloud. */

import { CidrBlock, formatEndpoint, ipBytes } from '#base/net.ts';
import type { NamerdConfig } from './config.ts';
import type { ListenAddress } from './config-reader.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'].map(text => CidrBlock.parse(text));

/** One sentence for each interface that anybody who reaches it may use. */
export function exposures({ admin, interfaces }: NamerdConfig): string[] {
  const warnings: string[] = [];
  if (!isLoopback(admin))
    warnings.push(
      `the admin interface listens on ${shown(admin)} and knows no users: whoever reaches it can stop namerd; let it listen on loopback`,
    );
  for (const each of interfaces) {
    if (each.kind !== 'io.l5d.httpController' || isLoopback(each) || each.tls?.requestCert) continue;
    warnings.push(
      `${each.kind} listens on ${shown(each)} without 'tls' with 'requireClientAuth': whoever reaches it can change names, policies and the certificate authority`,
    );
  }
  return warnings;
}

function isLoopback({ ip }: ListenAddress): boolean {
  const bytes = ipBytes(ip);
  return bytes !== undefined && LOOPBACK.some(block => block?.contains(bytes));
}

function shown({ ip, port }: ListenAddress): string {
  return formatEndpoint(ip, port);
}
