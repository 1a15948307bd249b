/** Lines of JSON to a file or stdout, written in batches, never at the cost of what is logged. */

import { mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination } from 'pino';

/** Beyond this much unwritten text lines are dropped and counted: a full disk must not fill the memory. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
/** Must be less than what the writer takes at once, 16 KB. */
const BATCH_BYTES = 8 * 1024;

const STDOUT = 1;

/**
 * What JSON leaves as it is though it is no text: control characters that terminals obey (C1, DEL), and line ends to those
 * who read lines by Unicode. Callers can send them in header fields.
 */
const CONTROLS = /[\u007f-\u009f\u2028\u2029]/;
const EACH_CONTROL = new RegExp(CONTROLS, 'g');

export class LogLines {
  /** Lines that were not written. */
  dropped = 0;
  /** Undefined: the file can't be opened, and every line is dropped. */
  readonly #out: ReturnType<typeof destination> | undefined;

  /** @param to a file (appended to) or `stdout`. */
  constructor(to: string) {
    const fd = to === 'stdout' ? STDOUT : opened(to);
    if (fd === undefined) return;
    this.#out = destination({ dest: fd, sync: false, minLength: BATCH_BYTES, maxLength: MAX_PENDING_BYTES });
    this.#out.on('drop', () => {
      this.dropped += 1;
    });
    // A log that can't be written is counted by its drops; it ends no connection and no process.
    this.#out.on('error', () => {
      this.dropped += 1;
    });
  }

  /** @param line one JSON text, with its newline. */
  write(line: string): void {
    if (this.#out === undefined) this.dropped += 1;
    else this.#out.write(CONTROLS.test(line) ? line.replace(EACH_CONTROL, escaped) : line);
  }

  /** Hands what is pending to the kernel. */
  flush(): void {
    this.#out?.flush();
  }

  close(): void {
    try {
      this.#out?.flushSync();
    } catch {
      // The file can't be written any more: there is nobody left to tell.
    }
    this.#out?.end();
  }
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** At once, so that a worker that ends as soon as it has started has written its lines. */
function opened(file: string): number | undefined {
  try {
    mkdirSync(dirname(file), { recursive: true });
    return openSync(file, 'a');
  } catch {
    return undefined;
  }
}
