/** The server's own certificate: issued by the own authority, new at half of its life and whenever the roots change. */

import type { SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import type { Dispose } from '#base/watch.ts';
import { renewAtMs } from '#trust';
import type { Certifier } from '../../ca/index.ts';

const RETRY_MS = 30_000;
/** Wall clocks jump: look at least this often. */
const LONGEST_SLEEP_MS = 3_600_000;

export class OwnCertificate {
  readonly #certifier: Certifier;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #apply: (context: SecureContextOptions) => void;
  #timer: Timer | undefined;
  #dispose: Dispose | undefined;
  #renewAt = 0;
  #closed = false;

  constructor(
    certifier: Certifier,
    clock: Clock,
    log: Logger,
    apply: (context: SecureContextOptions) => void,
  ) {
    this.#certifier = certifier;
    this.#clock = clock;
    this.#log = log;
    this.#apply = apply;
  }

  /** Resolves when the first certificate is in place. */
  async start(): Promise<void> {
    await this.#renew();
    let first = true;
    this.#dispose = this.#certifier.authority.trust.observe(() => {
      if (!first) void this.#renewOrRetry();
      first = false;
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#dispose?.();
  }

  async #renew(): Promise<void> {
    const { keyPem, chain, notBefore, notAfter } = await this.#certifier.ownCertificate();
    if (this.#closed) return;
    // A renewal that was overtaken by a change of roots must not bring the old ones back.
    const { roots } = this.#certifier.authority.trust.current;
    this.#apply({ key: keyPem, cert: chain, ca: [...roots] });
    this.#renewAt = renewAtMs(notBefore, notAfter);
    this.#sleep(this.#renewAt - this.#clock.now());
  }

  async #renewOrRetry(): Promise<void> {
    try {
      await this.#renew();
    } catch (error) {
      this.#log.error(
        { err: error },
        'the own certificate of the mesh API was not renewed; the old one stays',
      );
      this.#sleep(RETRY_MS);
    }
  }

  #sleep(ms: number): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    this.#timer = this.#clock.after(Math.min(Math.max(ms, 0), LONGEST_SLEEP_MS), () => {
      if (this.#clock.now() >= this.#renewAt) void this.#renewOrRetry();
      else this.#sleep(this.#renewAt - this.#clock.now());
    });
  }
}
