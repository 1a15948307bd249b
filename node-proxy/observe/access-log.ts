/** The access log: one JSON line per connection, written in batches, never at the cost of a connection. */

import { destination } from 'pino';
import type { AccessEntry } from '../tunnel/index.ts';

/** Beyond this much unwritten text lines are dropped and counted: a full disk must not fill the memory. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
/** Must be less than what the writer takes at once, 16 KB. */
const BATCH_BYTES = 8 * 1024;

export class AccessLog {
  dropped = 0;
  readonly #node: string;
  readonly #now: () => number;
  readonly #out: ReturnType<typeof destination>;

  /** @param to a file (appended to) or `stdout`. */
  constructor(to: string, node: string, now: () => number) {
    this.#node = node;
    this.#now = now;
    this.#out = destination({
      dest: to === 'stdout' ? 1 : to,
      sync: false,
      append: true,
      mkdir: true,
      minLength: BATCH_BYTES,
      maxLength: MAX_PENDING_BYTES,
    });
    this.#out.on('drop', () => {
      this.dropped += 1;
    });
    // A log that can't be written is counted by its drops; it ends no connection and no process.
    this.#out.on('error', () => {
      this.dropped += 1;
    });
  }

  write(entry: AccessEntry): void {
    const time = new Date(this.#now()).toISOString();
    this.#out.write(`${JSON.stringify({ time, kind: 'connection', node: this.#node, ...entry })}\n`);
  }

  /** Hands what is pending to the kernel. */
  flush(): void {
    this.#out.flush();
  }

  close(): void {
    try {
      this.#out.flushSync();
    } catch {
      // Nothing was ever written, or the file is gone: there is nobody left to tell.
    }
    this.#out.end();
  }
}
