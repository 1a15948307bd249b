/** A store in memory (`io.l5d.inMemory`): gone with the process. Versions count from 1. */

import { Cell } from '#base/watch.ts';
import type { ObjectStatus } from '../resources/index.ts';
import {
  AlreadyExistsError,
  type AsStored,
  type DocumentStore,
  type Documents,
  MAX_DOCUMENTS,
  NotFoundError,
  StoreFullError,
  VersionMismatchError,
} from './document-store.ts';
import { sorted, withDocument, withoutDocument } from './documents.ts';
import { formatVersion, parseVersion } from './version.ts';

export class MemoryStore<T> implements DocumentStore<T> {
  readonly documents: Cell<Documents<T>>;
  readonly problems = new Cell<readonly ObjectStatus[]>([]);
  readonly #limit: number;
  readonly #asStored: AsStored<T>;
  /** The highest counter among deleted documents: what is created later counts on from here. */
  #deletedUpTo = 0;

  constructor(
    initial: Iterable<readonly [key: string, value: T]> = [],
    { limit = MAX_DOCUMENTS, asStored = value => value }: { limit?: number; asStored?: AsStored<T> } = {},
  ) {
    const first = formatVersion({ counter: 1, digest: '' });
    const entries = [...initial].map(([key, value]) => [key, { value, version: first }] as const);
    this.documents = new Cell(sorted(entries));
    this.#limit = limit;
    this.#asStored = asStored;
  }

  async create(key: string, value: T): Promise<string> {
    if (this.documents.current.has(key)) throw new AlreadyExistsError(key);
    return this.#write(key, value);
  }

  async update(key: string, value: T, version: string): Promise<string> {
    this.#expect(key, version);
    return this.#write(key, value);
  }

  async put(key: string, value: T): Promise<string> {
    return this.#write(key, value);
  }

  async delete(key: string, version?: string): Promise<void> {
    const deleted = this.#expect(key, version);
    this.#deletedUpTo = Math.max(this.#deletedUpTo, counterOf(deleted));
    this.documents.set(withoutDocument(this.documents.current, key));
  }

  /** @returns the version that is stored. */
  #expect(key: string, version: string | undefined): string {
    const stored = this.documents.current.get(key);
    if (stored === undefined) throw new NotFoundError(key);
    if (version !== undefined && version !== stored.version)
      throw new VersionMismatchError(key, stored.version);
    return stored.version;
  }

  #write(key: string, written: T): string {
    const stored = this.documents.current.get(key);
    if (stored === undefined && this.documents.current.size >= this.#limit)
      throw new StoreFullError(this.#limit);
    const before = stored === undefined ? this.#deletedUpTo : counterOf(stored.version);
    const value = this.#asStored(written, stored?.value);
    const version = formatVersion({ counter: before + 1, digest: '' });
    this.documents.set(withDocument(this.documents.current, key, { value, version }));
    return version;
  }
}

function counterOf(version: string): number {
  return parseVersion(version)?.counter ?? 0;
}
