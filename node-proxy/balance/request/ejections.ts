/**
 * How many endpoints of a bound service are ejected, and how many may be. The share is the guard against a
 * breaker that takes a whole service away: at least the rest of the endpoints keeps its requests, failing or not; also
 * the only one, as with Linkerd and Envoy, which go on asking where nobody is healthy. Only a share of 1 lets all be
 * ejected; then requests are shed until a probe succeeds.
 */

export class Ejections {
  /** Endpoints that are not healthy: ejected, waiting for a probe, or being probed. */
  now = 0;
  /** Passages from healthy to ejected since the start. */
  total = 0;
  #limit = 0;

  get limit(): number {
    return this.#limit;
  }

  /** @param share 0 to 1, of which the whole number of endpoints below counts. */
  resize(endpoints: number, share: number): void {
    // The epsilon lets 0.29 of 100 be 29, whatever binary fractions make of it.
    this.#limit = Math.floor(endpoints * Math.min(Math.max(share, 0), 1) + 1e-9);
  }

  get mayEject(): boolean {
    return this.now < this.#limit;
  }
}
