/** `io.l5d.dnssrv`: `/#/io.l5d.dnssrv/<name>[/rest]`, the hosts and ports of the name's SRV records (RFC 2782). */

import type { Clock } from '#base/clock.ts';
import { Derived } from '#base/derived.ts';
import { SharedWatches } from '#base/shared-watch.ts';
import type { Watchable } from '#base/watch.ts';
import { Path, utf8Of } from '#names';
import { type DnsState, dnsPoll } from './dns-poll.ts';
import { type HostPort, replicasOf, stableReplicas } from './endpoints.ts';
import type { Hosts } from './hosts.ts';
import {
  bound,
  constant,
  failed,
  type Namer,
  type NamerAnswer,
  NamerError,
  NO_ANSWER,
  ok,
  PENDING,
  sameAnswer,
} from './namer.ts';
import type { Resolver, SrvRecord } from './resolver.ts';

export interface DnsSrvNamerOptions {
  /** Below `/#`. */
  prefix?: Path;
  clock: Clock;
  resolver: Resolver;
  /** Of the same resolver. */
  hosts: Hosts;
  /** How often the records are asked for; Linkerd's default is 5 s. */
  refreshMs?: number;
}

const LINGER_MS = 60_000;
const MAX_IDLE = 1_000;
/** RFC 2782 gives a weight of 0 "a very small chance" beside others. */
const SMALL_WEIGHT = 0.1;

export class DnsSrvNamer implements Namer {
  readonly kind = 'io.l5d.dnssrv';
  readonly prefix: Path;
  /** The domain: its records may say any host. */
  readonly openElems = 1;
  readonly #hosts: Hosts;
  readonly #records: SharedWatches<DnsState<readonly HostPort[]>>;

  constructor({
    prefix = Path.of('io.l5d.dnssrv'),
    clock,
    resolver,
    hosts,
    refreshMs = 5_000,
  }: DnsSrvNamerOptions) {
    this.prefix = Path.of('#').concat(prefix);
    this.#hosts = hosts;
    this.#records = new SharedWatches<DnsState<readonly HostPort[]>>({
      clock,
      lingerMs: LINGER_MS,
      maxIdle: MAX_IDLE,
      start: name =>
        dnsPoll({
          clock,
          floorMs: refreshMs,
          same: (a, b) => JSON.stringify(a) === JSON.stringify(b),
          ask: async () => ({ value: endpointsOf(await resolver.srv(name)), ttlMs: refreshMs }),
        }),
    });
  }

  lookup(rest: Path): Watchable<NamerAnswer> {
    const [elem] = rest.elems;
    if (elem === undefined) return constant(NO_ANSWER);
    const name = utf8Of(elem);
    const [id, residual] = [this.prefix.concat(rest.take(1)), rest.drop(1)];
    const stable = stableReplicas();
    return new Derived<NamerAnswer>(use => {
      const records = use('records', () => this.#records.get(name));
      if (records.state === 'pending') return PENDING;
      if (records.state === 'neg') return NO_ANSWER;
      if (records.state === 'failed')
        return failed(
          new NamerError(
            `the SRV records of ${name} can't be read: ${records.message}`,
            'Check the name server.',
          ),
        );
      const replicas = replicasOf(use, this.#hosts, records.value);
      return replicas === undefined ? PENDING : ok(bound(id, residual, stable(replicas)));
    }, sameAnswer);
  }

  close(): void {
    this.#records.close();
  }
}

/** The records of the best priority, in a stable order. */
function endpointsOf(records: readonly SrvRecord[]): HostPort[] {
  const best = Math.min(...records.map(({ priority }) => priority));
  const chosen = records.filter(({ priority, port }) => priority === best && port > 0);
  const unweighted = chosen.every(({ weight }) => weight === 0);
  return chosen
    .map(({ name, port, weight }) => ({
      host: name,
      port,
      weight: unweighted ? 1 : weight === 0 ? SMALL_WEIGHT : weight,
    }))
    .sort((a, b) => (a.host === b.host ? a.port - b.port : a.host < b.host ? -1 : 1));
}
