/**
 * How long one request may take, and one attempt of it. Neither is limited unless a route or service says so, thus
 * deadlines are made when there is something to wait for, and then used again.
 */

import { MeshError } from '#base/errors.ts';
import { HttpRefusal } from '../reply/index.ts';
import { Deadline, type Late, type Lateness } from './deadlines.ts';
import type { Host } from './host.ts';

export class Times {
  readonly #host: Host;
  readonly #owner: Late;
  #total: Deadline | undefined;
  #attempt: Deadline | undefined;

  constructor(host: Host, owner: Late) {
    this.#host = host;
    this.#owner = owner;
  }

  /** @param ms for the whole request, from its first mention on; 0 = any time. */
  limitTotal(ms: number, nowMs: number): void {
    if (ms <= 0 || this.#total?.set === true) return;
    this.#total ??= new Deadline(this.#owner, 'timeout_total');
    this.#host.deadlines.set(this.#total, ms, nowMs);
  }

  /** @param ms for the attempt that begins; 0 = any time. */
  limitAttempt(ms: number, nowMs: number): void {
    if (ms <= 0) return;
    this.#attempt ??= new Deadline(this.#owner, 'timeout_try');
    this.#host.deadlines.set(this.#attempt, ms, nowMs);
  }

  attemptOver(): void {
    this.#attempt?.cancel();
  }

  /** Nothing is limited any more but silence. */
  over(): void {
    this.#total?.cancel();
    this.#attempt?.cancel();
  }
}

/** Nothing moves where the client neither sends nor reads: that is not the application's fault. */
export function clientTooLate(): HttpRefusal {
  return new HttpRefusal('timeout_client', 'the client did not go on in time');
}

/** Below this no application is blamed: a client could have any endpoint ejected, also for others. Milliseconds. */
export const HASTY_MS = 100;

/** The client itself gave the request less than {@link HASTY_MS}. */
export class Haste extends MeshError {
  constructor() {
    super('NM_HTTP_HASTE', `the client waits for less than ${HASTY_MS} ms`, {
      by: 'client',
      next: 'The client must give its calls more time, or expect them to be late.',
    });
  }
}

/** The client had still to send the request, or to read the response: anybody could have any endpoint ejected by that. */
export class ClientSlow extends MeshError {
  constructor() {
    super('NM_HTTP_CLIENT_SLOW', 'the client had still to send, or to read', {
      by: 'client',
      next: 'The client must send the request, and read the response, in the time that they have.',
    });
  }
}

/** @param address where the last attempt went; '' when there was none. @param cause what of it is the client's own. */
export function tooLate(reason: Lateness, address: string, cause?: Haste | ClientSlow): HttpRefusal {
  const who = address === '' ? 'whoever says where it goes' : address;
  return new HttpRefusal(reason, `${who} did not answer in time`, cause);
}
