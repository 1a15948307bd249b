/** `l5d-dtab`: read once per text, whoever sends it. */

import { LRUCache } from 'lru-cache';
import { NameSyntaxError, parseDtab } from '#names';
import { HttpRefusal } from '../reply/index.ts';

const TEXTS = 1_000;
const MAX_DENTRIES = 50;

export class Overrides {
  readonly #known = new LRUCache<string, string | HttpRefusal>({ max: TEXTS });
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the dtab in its one spelling; '' when it says nothing. */
  read(text: string): string | HttpRefusal {
    let read = this.#known.get(text);
    if (read === undefined) {
      read = this.#parse(text);
      if (text.length <= this.#maxBytes) this.#known.set(text, read);
    }
    return read;
  }

  #parse(text: string): string | HttpRefusal {
    if (text.length > this.#maxBytes)
      return new HttpRefusal('bad_dtab', `l5d-dtab has ${text.length} bytes: at most ${this.#maxBytes}`);
    try {
      const dtab = parseDtab(text);
      if (dtab.dentries.length > MAX_DENTRIES)
        return new HttpRefusal(
          'bad_dtab',
          `l5d-dtab has ${dtab.dentries.length} dentries: at most ${MAX_DENTRIES}`,
        );
      return dtab.show;
    } catch (error) {
      if (!(error instanceof NameSyntaxError)) throw error;
      return new HttpRefusal('bad_dtab', `l5d-dtab: ${error.message}`);
    }
  }
}
