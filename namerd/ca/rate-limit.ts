/** Token buckets by key, for callers that ask too often. Bounded: the keys that were quiet longest are forgotten first. */

import { LRUCache } from 'lru-cache';
import type { Clock } from '#base/clock.ts';

export interface Rate {
  /** How many at once after a pause. */
  burst: number;
  perSecond: number;
}

const MAX_KEYS = 4096;

interface Bucket {
  tokens: number;
  filledAt: number;
}

export class RateLimit {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets = new LRUCache<string, Bucket>({ max: MAX_KEYS });

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** True while `key` may go on; takes nothing. */
  allows(key: string): boolean {
    return this.#fill(key).tokens >= 1;
  }

  /** Takes one; false when there is none. */
  take(key: string): boolean {
    const bucket = this.#fill(key);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #fill(key: string): Bucket {
    const now = this.#clock.monotonic();
    const { burst, perSecond } = this.#rate;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      const full = { tokens: burst, filledAt: now };
      this.#buckets.set(key, full);
      return full;
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.filledAt) / 1000) * perSecond);
    bucket.filledAt = now;
    return bucket;
  }
}
