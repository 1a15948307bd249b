/**
 * A store of one directory with one file per document (`io.nodemesh.file`). Files are the truth: they may be
 * edited, added and removed by hand, and are read again when they change.
 *
 * Invariants: a write that has resolved is on disk; killed at any moment, each file is the old or the new one;
 * a file that cannot be read leaves the last good document in force, across restarts too, and shows in
 * `problems`. No key leads out of the directory or to two files. One process writes to a directory.
 */

import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Clock, systemClock } from '#base/clock.ts';
import { formatProblem } from '#base/config.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import { Cell } from '#base/watch.ts';
import { type ObjectStatus, sortStatus } from '../../resources/index.ts';
import {
  AlreadyExistsError,
  type AsStored,
  type DocumentStore,
  type Documents,
  MAX_DOCUMENTS,
  NotFoundError,
  StorageError,
  StoreFullError,
  UnusableKeyError,
  type Versioned,
  VersionMismatchError,
} from '../document-store.ts';
import { sorted, withDocument, withoutDocument } from '../documents.ts';
import { parseVersion } from '../version.ts';
import { removeFile, removeStrayFiles, replaceFile } from './atomic-file.ts';
import { DirectoryFiles, type FileChange } from './directory-files.ts';
import { watchDirectory } from './directory-watch.ts';
import type { DocumentCodec } from './document-codec.ts';
import { LastGood } from './last-good.ts';
import { TurnQueue } from './turn-queue.ts';

export interface FileStoreOptions<T> {
  /** Created if it is not there. */
  dir: string;
  codec: DocumentCodec<T>;
  clock?: Clock;
  limit?: number;
  asStored?: AsStored<T>;
}

/** An editor writes a file in pieces; half of a dtab may be a good dtab. */
const SETTLE_MS = 30;
/** The key under which the directory itself has a problem. */
const DIRECTORY = '';
/** Of a file name. File systems allow 255, and the temporary file of a write has a longer name. */
const MAX_NAME_BYTES = 200;

export class FileStore<T> implements DocumentStore<T> {
  readonly documents = new Cell<Documents<T>>(new Map());
  readonly problems = new Cell<readonly ObjectStatus[]>([]);
  readonly #dir: string;
  readonly #codec: DocumentCodec<T>;
  readonly #limit: number;
  readonly #asStored: AsStored<T>;
  readonly #files: DirectoryFiles;
  readonly #lastGood: LastGood<T>;
  readonly #turns = new TurnQueue();
  /** By file name. */
  readonly #bad = new Map<string, ObjectStatus>();
  #unwatch: () => void = () => {};

  private constructor({ dir, codec, limit = MAX_DOCUMENTS, asStored = value => value }: FileStoreOptions<T>) {
    this.#dir = dir;
    this.#codec = codec;
    this.#limit = limit;
    this.#asStored = asStored;
    this.#files = new DirectoryFiles(dir, file => codec.keyOf(file) !== undefined);
    this.#lastGood = new LastGood(dir, codec);
  }

  /** Resolves when every file has been read. @throws StorageError when the directory cannot be used */
  static async open<T>(options: FileStoreOptions<T>): Promise<FileStore<T>> {
    const { dir, clock = systemClock } = options;
    const store = new FileStore(options);
    try {
      await mkdir(dir, { recursive: true });
      await removeStrayFiles(dir);
      await store.#lastGood.open();
    } catch (error) {
      throw new StorageError(`the storage directory ${dir} cannot be used: ${messageOf(error)}`, error);
    }
    await store.refresh();
    store.#unwatch = watchDirectory(dir, clock, names => store.refresh(names), SETTLE_MS);
    // What changed between the reading and the watch.
    await store.refresh();
    return store;
  }

  /**
   * Looks for files that changed. Never rejects: what is wrong shows in `problems`.
   * @param only look at these names only
   */
  async refresh(only?: ReadonlySet<string>): Promise<void> {
    try {
      await this.#turns.run(async () => this.#take(await this.#files.changes(only)));
      this.#good(DIRECTORY);
    } catch (error) {
      // The directory is gone or unreadable: that deletes nothing.
      this.#complain(DIRECTORY, 'error', [`${this.#dir}: the directory cannot be read: ${messageOf(error)}`]);
    }
  }

  async create(key: string, value: T): Promise<string> {
    const file = this.#fileOf(key, UnusableKeyError);
    return this.#turn(key, file, async () => {
      // A file that cannot be read is somebody's work too: only `put` replaces it.
      if (this.documents.current.has(key) || this.#files.knows(file)) throw new AlreadyExistsError(key);
      return this.#write(key, file, value);
    });
  }

  async update(key: string, value: T, version: string): Promise<string> {
    const file = this.#fileOf(key, NotFoundError);
    return this.#turn(key, file, async () => {
      this.#expect(key, version);
      return this.#write(key, file, value);
    });
  }

  async put(key: string, value: T): Promise<string> {
    const file = this.#fileOf(key, UnusableKeyError);
    return this.#turn(key, file, () => this.#write(key, file, value));
  }

  async delete(key: string, version?: string): Promise<void> {
    const file = this.#fileOf(key, NotFoundError);
    return this.#turn(key, file, async () => {
      // Without a version, a file that was never good can be deleted too.
      if (version !== undefined || !this.#files.knows(file)) this.#expect(key, version);
      await removeFile(this.#dir, file);
      this.#files.forget(file);
      await this.#lastGood.remove(file);
      this.#good(file);
      this.documents.set(withoutDocument(this.documents.current, key));
    });
  }

  async close(): Promise<void> {
    this.#unwatch();
    await this.#turns.idle();
  }

  /**
   * The file of a key. Keys come from outside, so one that is no plain name of exactly this document
   * (`x/../../y`, `.hidden`) must not become a path. Its copy in `.last-good` has the same name.
   */
  #fileOf(key: string, Refusal: new (key: string) => MeshError): string {
    const file = this.#codec.fileOf(key);
    const isOwn = this.#codec.keyOf(file) === key && basename(file) === file && !file.startsWith('.');
    if (!isOwn || file.includes('\0') || Buffer.byteLength(file) > MAX_NAME_BYTES) throw new Refusal(key);
    return file;
  }

  /** One change at a time, each upon what the file says now. */
  #turn<R>(key: string, file: string, act: () => Promise<R>): Promise<R> {
    return this.#turns.run(async () => {
      try {
        const change = await this.#files.changeOf(file);
        if (change !== undefined) await this.#take([change]);
        return await act();
      } catch (error) {
        if (error instanceof MeshError) throw error;
        throw new StorageError(`'${key}' could not be changed: ${messageOf(error)}`, error);
      }
    });
  }

  #expect(key: string, version: string | undefined): void {
    const stored = this.documents.current.get(key);
    if (stored === undefined) throw new NotFoundError(key);
    if (version !== undefined && version !== stored.version)
      throw new VersionMismatchError(key, stored.version);
  }

  async #write(key: string, file: string, written: T): Promise<string> {
    const stored = this.documents.current.get(key);
    if (stored === undefined && this.documents.current.size >= this.#limit)
      throw new StoreFullError(this.#limit);
    const counter = (parseVersion(stored?.version ?? '')?.counter ?? 0) + 1;
    const value = this.#asStored(written, stored?.value);
    const { text, version } = this.#codec.encode(value, counter);
    await replaceFile(this.#dir, file, text);
    await this.#files.remember(file);
    await this.#keep(file, text);
    this.documents.set(withDocument(this.documents.current, key, { value, version }));
    return version;
  }

  /** Takes over what changed on disk. */
  async #take(changes: readonly FileChange[]): Promise<void> {
    if (changes.length === 0) return;
    const documents = new Map(this.documents.current);
    for (const change of changes) {
      const key = this.#codec.keyOf(change.file) ?? change.file;
      const document = await this.#read(change, key, documents);
      if (document === undefined) documents.delete(key);
      else documents.set(key, document);
    }
    this.documents.set(sorted(documents));
  }

  /** The document that is in force after the change. */
  async #read(change: FileChange, key: string, documents: Documents<T>): Promise<Versioned<T> | undefined> {
    const { file } = change;
    if (change.state === 'gone') {
      this.#good(file);
      await this.#lastGood.remove(file);
      return undefined;
    }
    const messages = change.state === 'unreadable' ? [change.message] : [];
    if (change.state === 'text') {
      const decoded = this.#codec.decode(change.text, join(this.#dir, file), key);
      if (!decoded.ok) messages.push(...decoded.problems.map(formatProblem));
      else if (!documents.has(key) && documents.size >= this.#limit)
        messages.push(new StoreFullError(this.#limit).message);
      else {
        await this.#keep(file, change.text);
        return { value: decoded.value, version: decoded.version };
      }
    }
    this.#complain(file, 'error', messages);
    return documents.get(key) ?? (await this.#lastGood.read(file, key));
  }

  /** The file is good: it is in force, and so is its copy from the next start on. */
  async #keep(file: string, text: string): Promise<void> {
    try {
      await this.#lastGood.keep(file, text);
      this.#good(file);
    } catch (error) {
      this.#complain(file, 'warning', [`its copy in .last-good cannot be written: ${messageOf(error)}`]);
    }
  }

  #good(file: string): void {
    if (this.#bad.delete(file)) this.problems.set(sortStatus([...this.#bad.values()]));
  }

  #complain(file: string, state: 'warning' | 'error', messages: readonly string[]): void {
    const key = file === DIRECTORY ? '' : (this.#codec.keyOf(file) ?? '');
    const source = join(this.#dir, file);
    this.#bad.set(file, { kind: this.#codec.kind, key, source, state, messages });
    this.problems.set(sortStatus([...this.#bad.values()]));
  }
}
