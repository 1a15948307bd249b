/** The addresses of hosts, each asked for once for all who want it. */

import type { Clock } from '#base/clock.ts';
import { canonicalIp } from '#base/net.ts';
import { SharedWatches } from '#base/shared-watch.ts';
import type { Watchable } from '#base/watch.ts';
import { type DnsState, dnsPoll } from './dns-poll.ts';
import { constant } from './namer.ts';
import type { Resolver } from './resolver.ts';

export type HostState = DnsState<readonly string[]>;

/** The shortest time between two questions for one host, in milliseconds. */
const FLOOR_MS = 5_000;
const LINGER_MS = 60_000;
const MAX_IDLE = 1_000;

export class Hosts {
  readonly #changing: SharedWatches<HostState>;
  readonly #fixed: SharedWatches<HostState>;

  constructor({ resolver, clock }: { resolver: Resolver; clock: Clock }) {
    const start = (once: boolean) => (host: string) =>
      dnsPoll<readonly string[]>({
        clock,
        once,
        floorMs: FLOOR_MS,
        same: (a, b) => a.join() === b.join(),
        ask: async () => {
          const { addresses, ttlMs } = await resolver.host(host);
          return { value: addresses, ttlMs };
        },
      });
    const limits = { clock, lingerMs: LINGER_MS, maxIdle: MAX_IDLE };
    this.#changing = new SharedWatches<HostState>({ ...limits, start: start(false) });
    this.#fixed = new SharedWatches<HostState>({ ...limits, start: start(true) });
  }

  /** @param host a name, or an IP (IPv6 with or without brackets), which is its own address. */
  watch(host: string, { once = false } = {}): Watchable<HostState> {
    const address = addressOf(host);
    if (address !== undefined) return constant<HostState>({ state: 'ok', value: [address] });
    return (once ? this.#fixed : this.#changing).get(host);
  }

  close(): void {
    this.#changing.close();
    this.#fixed.close();
  }
}

function addressOf(host: string): string | undefined {
  // RFC 6761 §6.3: this name is not for the DNS. One family, since whoever listens may do so on one only.
  if (host === 'localhost') return '127.0.0.1';
  return canonicalIp(host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host);
}
