/** Asking the DNS: the interface that namers use, and the real thing. */

import { lookup, Resolver as Servers } from 'node:dns/promises';
import { canonicalIp } from '#base/net.ts';

export interface ResolvedHost {
  addresses: readonly string[];
  /** 0 when nobody said. */
  ttlMs: number;
}

export interface SrvRecord {
  name: string;
  port: number;
  priority: number;
  weight: number;
}

/** Both reject with an error whose code is ENOTFOUND or ENODATA when the name or the record does not exist. */
export interface Resolver {
  host(name: string): Promise<ResolvedHost>;
  srv(name: string): Promise<readonly SrvRecord[]>;
}

/** As the system resolves names: hosts file, search domains. It says nothing about how long an answer is good. */
export function systemResolver(): Resolver {
  const servers = new Servers();
  return {
    host: async name => {
      const found = await lookup(name, { all: true });
      return { addresses: canonical(found.map(({ address }) => address)), ttlMs: 0 };
    },
    srv: name => servers.resolveSrv(name),
  };
}

/** @param addresses name servers as `ip` or `ip:port` */
export function serversResolver(addresses: readonly string[]): Resolver {
  const servers = new Servers();
  servers.setServers([...addresses]);
  return {
    host: async name => {
      const [v4, v6] = await Promise.allSettled([
        servers.resolve4(name, { ttl: true }),
        servers.resolve6(name, { ttl: true }),
      ]);
      if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
      const records = [v4, v6].flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []));
      const ttls = records.map(({ ttl }) => ttl * 1_000);
      return { addresses: canonical(records.map(({ address }) => address)), ttlMs: Math.min(...ttls) };
    },
    srv: name => servers.resolveSrv(name),
  };
}

/** Sorted and without duplicates, so that the same answer in another order is no change. */
function canonical(addresses: readonly string[]): string[] {
  return [...new Set(addresses.flatMap(address => canonicalIp(address) ?? []))].sort();
}
