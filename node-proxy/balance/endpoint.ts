/**
 * What this worker has learnt about one place: how fast it connects, how many connections are open, and
 * whether it fails. Lives as long as any binding names the address, so learning survives binding changes.
 */

import type { Replica } from '#api';
import { parseEndpoint } from '#base/net.ts';
import { FailureAccrual } from './failure-accrual.ts';
import { PeakEwma } from './peak-ewma.ts';

export class Endpoint {
  readonly ip: string;
  readonly port: number;
  /** Replaced when the registry says something new about the same address. */
  replica: Replica;
  /** Pools tunnels: two endpoints share one when address and identity of the peer are the same. */
  peerKey: string;
  open = 0;
  readonly latency: PeakEwma;
  readonly accrual: FailureAccrual;

  constructor(replica: Replica, nowMs: number, random?: () => number) {
    const parsed = parseEndpoint(replica.address);
    if (parsed === undefined) throw new TypeError(`not an endpoint: ${replica.address}`);
    this.ip = parsed.ip;
    this.port = parsed.port;
    this.replica = replica;
    this.peerKey = `${this.ip} ${replica.identity}`;
    this.latency = new PeakEwma(nowMs);
    this.accrual = new FailureAccrual(random);
  }

  update(replica: Replica): void {
    this.replica = replica;
    this.peerKey = `${this.ip} ${replica.identity}`;
  }

  /** Peak-EWMA cost: expected wait times the connections that would share the endpoint. */
  cost(nowMs: number): number {
    // The floor makes open connections count before the first latency is known.
    return (this.latency.at(nowMs) + 0.1) * (this.open + 1);
  }

  connected(tookMs: number, nowMs: number): void {
    this.latency.observe(tookMs, nowMs);
    this.accrual.succeeded();
  }
}

/** All endpoints of a worker, by address; entries are kept while a binding refers to them. */
export class EndpointTable {
  readonly #byAddress = new Map<string, { endpoint: Endpoint; uses: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  /** Undefined when the address is not of the form `ip:port`: then nothing can be connected there. */
  acquire(replica: Replica): Endpoint | undefined {
    const known = this.#byAddress.get(replica.address);
    if (known !== undefined) {
      known.uses += 1;
      known.endpoint.update(replica);
      return known.endpoint;
    }
    if (parseEndpoint(replica.address) === undefined) return undefined;
    const endpoint = new Endpoint(replica, this.#now());
    this.#byAddress.set(replica.address, { endpoint, uses: 1 });
    return endpoint;
  }

  release(endpoint: Endpoint): void {
    const known = this.#byAddress.get(endpoint.replica.address);
    if (known === undefined || known.endpoint !== endpoint) return;
    known.uses -= 1;
    if (known.uses === 0) this.#byAddress.delete(endpoint.replica.address);
  }

  *values(): IterableIterator<Endpoint> {
    for (const { endpoint } of this.#byAddress.values()) yield endpoint;
  }
}
