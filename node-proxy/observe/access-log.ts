/** The access log of connections: one JSON line each. */

import type { AccessEntry } from '../tunnel/index.ts';
import { LogLines } from './log-lines.ts';

export class AccessLog {
  readonly #node: string;
  readonly #now: () => number;
  readonly #lines: LogLines;

  /** @param to a file (appended to) or `stdout`. */
  constructor(to: string, node: string, now: () => number) {
    this.#node = node;
    this.#now = now;
    this.#lines = new LogLines(to);
  }

  /** Lines that were not written. */
  get dropped(): number {
    return this.#lines.dropped;
  }

  write(entry: AccessEntry): void {
    const time = new Date(this.#now()).toISOString();
    this.#lines.write(`${JSON.stringify({ time, kind: 'connection', node: this.#node, ...entry })}\n`);
  }

  /** Hands what is pending to the kernel. */
  flush(): void {
    this.#lines.flush();
  }

  close(): void {
    this.#lines.close();
  }
}
