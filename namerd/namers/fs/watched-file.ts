/**
 * The endpoints behind one name of `io.l5d.fs`: the first file on the way down from the root directory, read
 * again when anything on that way changes.
 *
 * Invariants: nothing outside the root is named (an element is never `..` or a path); a file that can't be read
 * or parsed keeps its last good content.
 */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { SharedWatches } from '#base/shared-watch.ts';
import type { Dispose } from '#base/watch.ts';
import type { HostPort } from '../endpoints.ts';
import { NamerError } from '../namer.ts';
import { parseEndpointFile } from './endpoint-file.ts';

export type FileState =
  | { readonly state: 'pending' }
  | { readonly state: 'neg' }
  | { readonly state: 'ok'; readonly endpoints: readonly HostPort[]; readonly consumed: number }
  | { readonly state: 'failed'; readonly error: NamerError };

export interface WatchedFileOptions {
  root: string;
  /** Names of directories and at last of a file; further ones are the residual. */
  elems: readonly string[];
  /** Revisions of directories: a new one whenever something in it may have changed. */
  directories: SharedWatches<number>;
  clock: Clock;
  log: Logger;
  settleMs: number;
}

/** Nothing of that name can be there. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Begins to look; stops when disposed. */
export function watchFile(options: WatchedFileOptions, set: (state: FileState) => void): Dispose {
  const watched = new WatchedFile(options, set);
  watched.look();
  return () => watched.stop();
}

class WatchedFile {
  readonly #options: WatchedFileOptions;
  readonly #set: (state: FileState) => void;
  readonly #directories = new Map<string, Dispose>();
  #timer: Timer | undefined;
  #looking = false;
  #again = false;
  #stopped = false;
  /** Identifies the content that was read last. */
  #stamp = '';
  #good: FileState | undefined;

  constructor(options: WatchedFileOptions, set: (state: FileState) => void) {
    this.#options = options;
    this.#set = set;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const dispose of this.#directories.values()) dispose();
    this.#directories.clear();
  }

  look(): void {
    this.#again = this.#looking;
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    void this.#walk().finally(() => {
      this.#looking = false;
      if (this.#again) this.look();
    });
  }

  async #walk(): Promise<void> {
    const { root, elems } = this.#options;
    const passed = [root];
    this.#follow(root);
    let place = root;
    for (const [i, elem] of elems.entries()) {
      place = join(place, elem);
      const found = await look(place);
      if (this.#stopped) return;
      if (found.kind !== 'directory') {
        this.#leave(passed);
        return found.kind === 'file'
          ? this.#read(place, found, i + 1)
          : this.#nothingThere(place, found.error);
      }
      passed.push(place);
      this.#follow(place);
    }
    this.#leave(passed);
    this.#tell({ state: 'neg' });
  }

  #nothingThere(place: string, error: unknown): void {
    this.#stamp = '';
    if (ABSENT.has(codeOf(error) ?? '')) this.#tell({ state: 'neg' });
    else this.#keepGood(place, messageOf(error));
  }

  async #read(
    place: string,
    { size, stamp }: { size: number; stamp: string },
    consumed: number,
  ): Promise<void> {
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    if (size > MAX_FILE_BYTES) return this.#keepGood(place, `larger than ${MAX_FILE_BYTES} bytes`);
    let text: string;
    try {
      text = await readFile(place, 'utf8');
    } catch (error) {
      return this.#nothingThere(place, error);
    }
    const { endpoints, problems } = parseEndpointFile(text);
    if (problems.length > 0)
      return this.#keepGood(place, problems.map(problem => `${place}:${problem}`).join('\n'));
    this.#good = { state: 'ok', endpoints, consumed };
    this.#tell(this.#good);
  }

  #keepGood(place: string, message: string): void {
    const error = new NamerError(
      `${place} can't be used: ${message}`,
      'Correct the file; its last good content stays.',
    );
    this.#options.log.error({ err: error }, 'a file of a namer is not in force');
    this.#tell(this.#good ?? { state: 'failed', error });
  }

  #tell(state: FileState): void {
    if (state.state === 'neg') this.#good = undefined;
    if (!this.#stopped) this.#set(state);
  }

  #follow(directory: string): void {
    if (this.#directories.has(directory)) return;
    let first = true;
    const dispose = this.#options.directories.get(directory).observe(() => {
      if (!first) this.#lookSoon();
      first = false;
    });
    this.#directories.set(directory, dispose);
  }

  /** Lets go of directories that are no longer on the way. */
  #leave(passed: readonly string[]): void {
    for (const [directory, dispose] of this.#directories) {
      if (passed.includes(directory)) continue;
      this.#directories.delete(directory);
      dispose();
    }
  }

  /** A file is often written in several steps. */
  #lookSoon(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#options.settleMs, () => this.look());
  }
}

type Found =
  | { kind: 'directory' }
  /** `stamp` identifies the content. */
  | { kind: 'file'; size: number; stamp: string }
  | { kind: 'nothing'; error: unknown };

async function look(place: string): Promise<Found> {
  try {
    const facts = await stat(place, { bigint: true });
    if (facts.isDirectory()) return { kind: 'directory' };
    // Reading a pipe or a device may never end, and takes a thread of the few that read files.
    if (!facts.isFile()) return { kind: 'nothing', error: new Error('not a regular file') };
    const { ino, size, mtimeNs, ctimeNs } = facts;
    return { kind: 'file', size: Number(size), stamp: `${place} ${ino} ${size} ${mtimeNs} ${ctimeNs}` };
  } catch (error) {
    return { kind: 'nothing', error };
  }
}
