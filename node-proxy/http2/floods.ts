/**
 * Bounds on work that a peer can cause at next to no cost of its own. Each kind has a budget that useful work
 * and time refill: an honest peer never notices, whatever its load; a flood runs dry and ends the
 * connection with ENHANCE_YOUR_CALM (RFC 9113 §10.5). The clock is read only when a budget is dry.
 */

import type { H2Limits } from './api.ts';
import { H2Code } from './constants.ts';
import { Violation } from './error.ts';

export const DEFAULT_LIMITS: H2Limits = {
  // Who forwards from a stream and holds credit back needs one receive window of room, 4 MiB.
  streamSendBytes: 4 * 1024 * 1024,
  connectionSendBytes: 64 * 1024 * 1024,
  controlBytes: 1024 * 1024,
  headerBlockBytes: 64 * 1024,
  continuations: 16,
  // nghttp2's figures for rapid reset: a burst of 1,000, then 33 per second.
  resetBurst: 1000,
  resetsPerSecond: 33,
  ackBurst: 1000,
  acksPerSecond: 100,
  idleBurst: 1000,
  idlesPerSecond: 100,
  windowUpdateBurst: 2000,
  windowUpdatesPerSecond: 200,
};

export class Budget {
  readonly #what: string;
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  #left: number;
  #since: number;

  /** @param now monotonic milliseconds. */
  constructor(what: string, burst: number, perSecond: number, now: () => number) {
    this.#what = what;
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#left = burst;
    this.#since = now();
  }

  /** @throws Violation when the budget is dry. */
  spend(): void {
    if (this.#left >= 1) {
      this.#left -= 1;
      return;
    }
    const now = this.#now();
    this.#left += ((now - this.#since) * this.#perSecond) / 1000;
    this.#since = now;
    if (this.#left < 1) throw new Violation(H2Code.ENHANCE_YOUR_CALM, `too many ${this.#what}`);
    this.#left = Math.min(this.#left, this.#burst) - 1;
  }

  /** Useful work was done. */
  earn(amount: number): void {
    this.#left = Math.min(this.#left + amount, this.#burst);
  }
}

export class Floods {
  /** Streams that ended before we answered. */
  readonly resets: Budget;
  /** Frames that need an answer. */
  readonly acks: Budget;
  /** Frames that move nothing. */
  readonly idles: Budget;
  readonly windowUpdates: Budget;

  constructor(limits: H2Limits, now: () => number) {
    this.resets = new Budget(
      'streams reset before an answer',
      limits.resetBurst,
      limits.resetsPerSecond,
      now,
    );
    this.acks = new Budget('PING or SETTINGS frames', limits.ackBurst, limits.acksPerSecond, now);
    this.idles = new Budget('frames that move nothing', limits.idleBurst, limits.idlesPerSecond, now);
    this.windowUpdates = new Budget(
      'WINDOW_UPDATE frames',
      limits.windowUpdateBurst,
      limits.windowUpdatesPerSecond,
      now,
    );
  }
}
