/**
 * Deadlines of requests: one timer per length, whatever the number of requests. Those of one length expire in the
 * order in which they began, so each length is a list, and its timer waits for the first.
 */

import type { Clock, Timer } from '#base/clock.ts';

/** Something that is late. Belongs to at most one list at a time. */
export class Deadline {
  /** @internal */
  dueMs = 0;
  /** @internal */
  before: Deadline | undefined;
  /** @internal */
  after: Deadline | undefined;
  /** @internal */
  list: DeadlineList | undefined;
  readonly expired: () => void;

  constructor(expired: () => void) {
    this.expired = expired;
  }

  cancel(): void {
    this.list?.remove(this);
  }
}

class DeadlineList {
  readonly #ms: number;
  readonly #clock: Clock;
  readonly #onEmpty: () => void;
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #timer: Timer | undefined;

  constructor(ms: number, clock: Clock, onEmpty: () => void) {
    this.#ms = ms;
    this.#clock = clock;
    this.#onEmpty = onEmpty;
  }

  add(deadline: Deadline, nowMs: number): void {
    deadline.dueMs = nowMs + this.#ms;
    deadline.list = this;
    deadline.before = this.#last;
    deadline.after = undefined;
    if (this.#last === undefined) this.#first = deadline;
    else this.#last.after = deadline;
    this.#last = deadline;
    this.#timer ??= this.#clock.after(this.#ms, () => this.#ring());
  }

  remove(deadline: Deadline): void {
    if (deadline.list !== this) return;
    const { before, after } = deadline;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    deadline.list = deadline.before = deadline.after = undefined;
  }

  /** The timer is left to ring when a deadline is cancelled: re-arming it for each request would cost more. */
  #ring(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonic();
    for (let first = this.#first; first !== undefined && first.dueMs <= nowMs; first = this.#first) {
      this.remove(first);
      first.expired();
    }
    if (this.#first !== undefined)
      this.#timer ??= this.#clock.after(Math.max(this.#first.dueMs - nowMs, 1), () => this.#ring());
    else this.#onEmpty();
  }
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #lists = new Map<number, DeadlineList>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#lists.size;
  }

  /** @param ms more than 0. A deadline that is set already is set anew. */
  set(deadline: Deadline, ms: number, nowMs: number): void {
    deadline.cancel();
    let list = this.#lists.get(ms);
    if (list === undefined) {
      list = new DeadlineList(ms, this.#clock, () => this.#lists.delete(ms));
      this.#lists.set(ms, list);
    }
    list.add(deadline, nowMs);
  }
}
