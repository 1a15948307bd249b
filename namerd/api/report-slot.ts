/** The newest report of what this node has enrolled: sent on every connection, awaited by whoever made it. */

import { MeshApiError } from './mesh-error.ts';
import type { ClientLine } from './mesh-protocol.ts';

interface Waiter {
  seq: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

export class ReportSlot {
  #seq = 0;
  #line: ClientLine | undefined;
  #waiters: Waiter[] = [];

  /** The line to send on a new connection; undefined before the first report. */
  get line(): ClientLine | undefined {
    return this.#line;
  }

  /** Replaces the report. The promise resolves when it, or a later one, has reached every binding. */
  put(enrolled: readonly string[]): { line: ClientLine; done: Promise<void> } {
    this.#seq += 1;
    const seq = this.#seq;
    const line: ClientLine = { op: 'report', enrolled: [...enrolled], seq };
    this.#line = line;
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ seq, resolve, reject }));
    return { line, done };
  }

  /** namerd has answered for everything up to `seq`. */
  settle(seq: number, error?: { code: string; message: string }): void {
    const settled = this.#waiters.filter(waiter => waiter.seq <= seq);
    this.#waiters = this.#waiters.filter(waiter => waiter.seq > seq);
    for (const { resolve, reject } of settled) {
      if (error === undefined) resolve();
      else reject(MeshApiError.refusal(500, error));
    }
  }

  close(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(MeshApiError.failure('NM_MESH_CLOSED', 'the client was closed'));
  }
}
