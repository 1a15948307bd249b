/** One asynchronous task at a time, in the order of asking; a limit on how many may wait. */

import { MeshError } from '#base/errors.ts';

const MAX_WAITING = 1_000;

export class StoreBusyError extends MeshError {
  constructor() {
    super('NM_STORE_BUSY', `${MAX_WAITING} changes are waiting already`, {
      by: 'client',
      next: 'Try again more slowly.',
    });
  }
}

export class TurnQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** @throws StoreBusyError */
  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(new StoreBusyError());
    this.#waiting += 1;
    const turn = this.#last.then(task).finally(() => {
      this.#waiting -= 1;
    });
    // Whoever asked sees the failure; the next turn does not care.
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async idle(): Promise<void> {
    await this.#last;
  }
}
