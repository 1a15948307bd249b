/**
 * A copy of the last good text of each file, in `.last-good/` beside them. When namerd starts and finds a file
 * spoilt by an edit, a policy must not vanish: its last good text stays in force.
 */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#base/errors.ts';
import { removeStrayFiles, replaceFile } from './atomic-file.ts';
import type { Decoded, DocumentCodec } from './document-codec.ts';

export class LastGood<T> {
  readonly #dir: string;
  readonly #codec: DocumentCodec<T>;

  constructor(dir: string, codec: DocumentCodec<T>) {
    this.#dir = join(dir, '.last-good');
    this.#codec = codec;
  }

  async open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    await removeStrayFiles(this.#dir);
  }

  /** Not fsynced: the file itself is, and a copy that is one edit old is still a good one. */
  async keep(file: string, text: string): Promise<void> {
    if ((await this.#text(file)) !== text) await replaceFile(this.#dir, file, text, { durable: false });
  }

  async remove(file: string): Promise<void> {
    await rm(join(this.#dir, file), { force: true });
  }

  async read(file: string, key: string): Promise<Extract<Decoded<T>, { ok: true }> | undefined> {
    const text = await this.#text(file);
    const decoded = text === undefined ? undefined : this.#codec.decode(text, join(this.#dir, file), key);
    return decoded?.ok ? decoded : undefined;
  }

  async #text(file: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#dir, file), 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}
