/** A name server whose answers a test sets, and which answers at once. */

import type { ResolvedHost, Resolver, SrvRecord } from '../../../namerd/namers/index.ts';

export class TestResolver implements Resolver {
  readonly hosts = new Map<string, ResolvedHost | Error>();
  readonly records = new Map<string, readonly SrvRecord[] | Error>();
  readonly asked: string[] = [];

  async host(name: string): Promise<ResolvedHost> {
    this.asked.push(name);
    return answer(name, this.hosts.get(name));
  }

  async srv(name: string): Promise<readonly SrvRecord[]> {
    this.asked.push(name);
    return answer(name, this.records.get(name));
  }
}

export function dnsError(code: string): Error {
  return Object.assign(new Error(`query ${code}`), { code });
}

function answer<T>(name: string, found: T | Error | undefined): T {
  if (found === undefined) throw dnsError('ENOTFOUND');
  if (found instanceof Error) throw Object.assign(found, { hostname: name });
  return found;
}

/** Until everything that promises had to do is done. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve));
}
