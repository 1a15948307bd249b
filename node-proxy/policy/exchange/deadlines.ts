/**
 * Deadlines of requests: one timer per length, whatever the number of requests. Those of one length expire in the
 * order in which they began, so each length is a list, and its timer waits for the first.
 */

import type { Clock, Timer } from '#base/clock.ts';

/** What a request was too late with. */
export type Lateness = 'timeout_total' | 'timeout_try' | 'timeout_idle';

/** Whose time may run out. */
export interface Late {
  late(reason: Lateness): void;
}

/** Belongs to at most one list at a time. */
export class Deadline {
  /** @internal */
  dueMs = 0;
  /** @internal */
  before: Deadline | undefined;
  /** @internal */
  after: Deadline | undefined;
  /** @internal */
  list: DeadlineList | undefined;
  readonly #owner: Late;
  readonly #reason: Lateness;

  constructor(owner: Late, reason: Lateness) {
    this.#owner = owner;
    this.#reason = reason;
  }

  get set(): boolean {
    return this.list !== undefined;
  }

  cancel(): void {
    this.list?.remove(this);
  }

  /** @internal */
  expired(): void {
    this.#owner.late(this.#reason);
  }
}

class DeadlineList {
  readonly #ms: number;
  readonly #clock: Clock;
  readonly #onEmpty: () => void;
  /** Of a length that is hardly used: gone with its last deadline. */
  readonly #passing: boolean;
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #timer: Timer | undefined;
  #ringing = false;

  constructor(ms: number, clock: Clock, passing: boolean, onEmpty: () => void) {
    this.#ms = ms;
    this.#clock = clock;
    this.#passing = passing;
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
    // While it rings, others may be due before this one: the timer is set for the first of all afterwards.
    if (!this.#ringing) this.#timer ??= this.#clock.after(this.#ms, () => this.#ring());
  }

  remove(deadline: Deadline): void {
    if (deadline.list !== this) return;
    const { before, after } = deadline;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    deadline.list = deadline.before = deadline.after = undefined;
    if (this.#passing && this.#first === undefined && !this.#ringing) this.#end();
  }

  /** The timer is left to ring when a deadline is cancelled: re-arming it for each request would cost more. */
  #ring(): void {
    this.#timer = undefined;
    this.#ringing = true;
    const nowMs = this.#clock.monotonic();
    for (let first = this.#first; first !== undefined && first.dueMs <= nowMs; first = this.#first) {
      this.remove(first);
      first.expired();
    }
    this.#ringing = false;
    if (this.#first === undefined) return this.#end();
    this.#timer = this.#clock.after(Math.max(this.#first.dueMs - nowMs, 1), () => this.#ring());
  }

  #end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#onEmpty();
  }
}

/** Lengths that keep a list of their own while nobody waits: those of settings; what requests say is any number. */
const KEPT_LISTS = 64;

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
      const passing = this.#lists.size >= KEPT_LISTS;
      list = new DeadlineList(ms, this.#clock, passing, () => this.#lists.delete(ms));
      this.#lists.set(ms, list);
    }
    list.add(deadline, nowMs);
  }
}
