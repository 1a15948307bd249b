/** What exchanges and clients' connections need of the worker that carries them, whatever the protocol. */

import type { Timer } from '#base/clock.ts';
import type { HttpLimits } from '../limits.ts';
import type { Deadlines } from './deadlines.ts';

export interface Host {
  readonly deadlines: Deadlines;
  readonly limits: HttpLimits;
  /** The proxy is shutting down: connections finish what they have, and begin nothing new. */
  readonly draining: boolean;
  /** Monotonic milliseconds. */
  now(): number;
  after(ms: number, act: () => void): Timer;
}
