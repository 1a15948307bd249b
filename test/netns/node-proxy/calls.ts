/** Calls that the tests make: single ones, and steady traffic that counts its failures. */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../tunnel/rig.ts';
import { APP_PORT, type MeshPod } from './rig.ts';

const SETTLE_MS = 15_000;
const ANSWER_MS = 5_000;

/** A new connection's first answer (`NAME CALLER hello`), or `refused: …`, or `timed out`. */
export async function freshAnswer(from: MeshPod, ip: string, port = APP_PORT): Promise<string> {
  let socket: Socket | undefined;
  try {
    socket = await from.ns.connect(ip, port);
    const late = sleep(ANSWER_MS, 'timed out', { ref: false });
    return await Promise.race([ask(socket, 'hello'), late]);
  } catch (error) {
    return `refused: ${String(error)}`;
  } finally {
    socket?.destroy();
  }
}

/** Asks until the answer is this. @throws with the last answer after 15 s. */
export async function settles(act: () => Promise<string>, wanted: RegExp): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const seen = await act();
    if (wanted.test(seen)) return;
    if (performance.now() > deadline) throw new Error(`'${seen}' never became ${wanted}`);
    await sleep(20);
  }
}

/** New connections at a steady rate until stopped. */
export class Traffic {
  readonly answers: string[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<unknown>>();

  constructor(perSecond: number, call: () => Promise<string>) {
    this.#timer = setInterval(() => {
      const one = call().then(answer => this.answers.push(answer));
      this.#open.add(one);
      void one.finally(() => this.#open.delete(one));
    }, 1_000 / perSecond).unref();
  }

  /** Waits for the last answers. @returns those that are not as wanted. */
  async stop(wanted: RegExp): Promise<string[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    return this.answers.filter(answer => !wanted.test(answer));
  }
}
