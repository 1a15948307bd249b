/**
 * One endpoint as the requests of one bound service see it. What it learns survives snapshots: the object stays
 * while the service has the address, and is new when the address comes back after it had gone.
 */

import type { ClientSettings } from '#api';
import type { Endpoint } from '../endpoint.ts';
import { FailureAccrual } from '../failure-accrual.ts';
import { PeakEwma } from '../peak-ewma.ts';
import type { Ejections } from './ejections.ts';

/** `ignored`: the client went away, or the proxy itself was at fault: says nothing about the endpoint. */
export type RequestOutcome = 'success' | 'failure' | 'ignored';

export class LoadedEndpoint {
  readonly endpoint: Endpoint;
  /** Requests under way from this worker. */
  pending = 0;
  readonly latency: PeakEwma;
  readonly accrual: FailureAccrual;
  /** What the data path hangs on the endpoint (pools, edges); balancing never looks at it. */
  attached: unknown = undefined;
  /** Copies of the replica's, as of the last snapshot: one step nearer than `endpoint.replica`. */
  terminating = false;
  weight = 1;
  #left = false;
  readonly #ejections: Ejections;

  constructor(
    endpoint: Endpoint,
    ejections: Ejections,
    settings: ClientSettings,
    nowMs: number,
    random: () => number,
  ) {
    this.endpoint = endpoint;
    this.#ejections = ejections;
    this.latency = new PeakEwma(nowMs, settings.balancer.decayMs);
    this.accrual = new FailureAccrual(random, settings.breaker);
    this.refresh();
  }

  /** The replica has changed. */
  refresh(): void {
    this.terminating = this.endpoint.replica.terminating;
    this.weight = Math.max(this.endpoint.replica.weight, 0);
  }

  /** No longer the service's. */
  get left(): boolean {
    return this.#left;
  }

  configure(settings: ClientSettings): void {
    this.latency.decayMs = settings.balancer.decayMs;
    const unhealthy = !this.accrual.healthy;
    this.accrual.configure(settings.breaker);
    if (unhealthy && this.accrual.healthy) this.#ejections.now -= 1;
  }

  /**
   * An attempt starts. To be called in the same turn as the pick, so that a probe is only one request.
   * @returns the attempt's epoch, for {@link end}.
   */
  begin(nowMs: number): number {
    this.pending += 1;
    return this.accrual.trying(nowMs);
  }

  /**
   * An attempt is over; exactly once per {@link begin}.
   * @param tookMs until the response's head (or until it failed).
   * @param epoch what begin returned: an attempt from before an ejection says nothing about the endpoint of now.
   */
  end(outcome: RequestOutcome, tookMs: number, nowMs: number, epoch: number): void {
    this.pending -= 1;
    if (outcome === 'success') this.latency.observe(tookMs, nowMs);
    else if (outcome === 'failure') this.latency.observeFailure(tookMs, nowMs);
    if (this.#left || epoch !== this.accrual.epoch) return;
    const { accrual } = this;
    const wasHealthy = accrual.healthy;
    if (outcome === 'success') accrual.succeeded();
    else if (outcome === 'ignored') accrual.abandoned(nowMs);
    else accrual.failed(nowMs, this.#ejections.mayEject);
    if (wasHealthy === accrual.healthy) return;
    if (wasHealthy) {
      this.#ejections.now += 1;
      this.#ejections.total += 1;
    } else this.#ejections.now -= 1;
  }

  /** The endpoint is no longer the service's: its ejection counts no more, whatever its last attempts show. */
  leave(): void {
    this.#left = true;
    if (!this.accrual.healthy) this.#ejections.now -= 1;
  }
}
