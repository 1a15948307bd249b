/** Which files of a directory changed since they were last looked at, and their texts. */

import type { BigIntStats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '#base/errors.ts';

export type FileChange =
  | { state: 'text'; file: string; text: string }
  | { state: 'unreadable'; file: string; message: string }
  | { state: 'gone'; file: string };

const MAX_FILE_BYTES = 4n * 1024n * 1024n;

export class DirectoryFiles {
  readonly #dir: string;
  readonly #isOurs: (file: string) => boolean;
  /** File name → what identifies the content that was read last. */
  readonly #stamps = new Map<string, string>();

  constructor(dir: string, isOurs: (file: string) => boolean) {
    this.#dir = dir;
    this.#isOurs = isOurs;
  }

  knows(file: string): boolean {
    return this.#stamps.has(file);
  }

  /**
   * What changed since it was last looked at, in the order of names.
   * @param only look at these names only
   * @throws when the directory cannot be read
   */
  async changes(only?: ReadonlySet<string>): Promise<FileChange[]> {
    if (only !== undefined) return this.#changesOf([...only].filter(this.#isOurs));
    const files = (await readdir(this.#dir)).filter(this.#isOurs);
    const present = new Set(files);
    const gone = [...this.#stamps.keys()].filter(file => !present.has(file));
    return this.#changesOf([...files, ...gone]);
  }

  async #changesOf(files: readonly string[]): Promise<FileChange[]> {
    const changes: FileChange[] = [];
    for (const file of files.toSorted()) {
      const change = await this.changeOf(file);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** What changed in one file since it was last looked at; undefined if nothing. @throws when the directory is away */
  async changeOf(file: string): Promise<FileChange | undefined> {
    try {
      const facts = await stat(join(this.#dir, file), { bigint: true });
      const stamp = stampOf(facts);
      if (this.#stamps.get(file) === stamp) return undefined;
      // Remembered before reading: a change in between is seen next time.
      this.#stamps.set(file, stamp);
      if (!facts.isFile()) return { state: 'unreadable', file, message: 'not a regular file' };
      if (facts.size > MAX_FILE_BYTES)
        return { state: 'unreadable', file, message: `larger than ${MAX_FILE_BYTES} bytes` };
      return { state: 'text', file, text: await readFile(join(this.#dir, file), 'utf8') };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') return { state: 'unreadable', file, message: messageOf(error) };
      // When the whole directory is away, nothing says that the file was deleted.
      await stat(this.#dir);
      return this.#stamps.delete(file) ? { state: 'gone', file } : undefined;
    }
  }

  /** The file has just been written by us: what is there now is known. */
  async remember(file: string): Promise<void> {
    this.#stamps.set(file, stampOf(await stat(join(this.#dir, file), { bigint: true })));
  }

  /** The file has just been removed by us. */
  forget(file: string): void {
    this.#stamps.delete(file);
  }
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
