/** Time that stands still until a test moves it. */

import type { Clock, Timer } from '#base/clock.ts';

interface Planned {
  at: number;
  every: number | undefined;
  act: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #planned = new Set<Planned>();

  constructor(now = Date.UTC(2026, 5, 1, 12)) {
    this.#now = now;
    this.#start = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(delayMs: number, act: () => void): Timer {
    return this.#plan({ at: this.#now + Math.max(delayMs, 0), every: undefined, act });
  }

  every(periodMs: number, act: () => void): Timer {
    return this.#plan({ at: this.#now + periodMs, every: periodMs, act });
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#planned.size;
  }

  /** Moves on, running what falls due in its order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#dueBy(end); next !== undefined; next = this.#dueBy(end)) {
      this.#now = Math.max(this.#now, next.at);
      if (next.every === undefined) this.#planned.delete(next);
      else next.at += next.every;
      next.act();
    }
    this.#now = end;
  }

  #plan(planned: Planned): Timer {
    this.#planned.add(planned);
    return { cancel: () => void this.#planned.delete(planned) };
  }

  #dueBy(end: number): Planned | undefined {
    let first: Planned | undefined;
    for (const planned of this.#planned)
      if (planned.at <= end && (first === undefined || planned.at < first.at)) first = planned;
    return first;
  }
}
