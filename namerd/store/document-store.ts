/**
 * What every storage of versioned documents does. A store is one kind's documents by key; reading is from
 * memory, so a write that has resolved is seen by every later read. Versions are opaque base64 texts, used
 * as they are for ETags; a document that is deleted and created again never gets an old version back with
 * other content.
 */

import { MeshError } from '#base/errors.ts';
import type { Watchable } from '#base/watch.ts';
import type { ObjectStatus } from '../resources/index.ts';

export interface Versioned<T> {
  readonly value: T;
  readonly version: string;
}

/** An immutable snapshot, sorted by key. */
export type Documents<T> = ReadonlyMap<string, Versioned<T>>;

/** What a store makes of a value that is written, from what it holds under the key; without effects. */
export type AsStored<T> = (written: T, before: T | undefined) => T;

export interface DocumentStore<T> {
  /** What is stored now; every change is a new map. */
  readonly documents: Watchable<Documents<T>>;
  /** @returns the first version. @throws UnusableKeyError, AlreadyExistsError, StoreFullError, StorageError */
  create(key: string, value: T): Promise<string>;
  /** @returns the new version. @throws NotFoundError, VersionMismatchError, StorageError */
  update(key: string, value: T, version: string): Promise<string>;
  /** Creates or replaces. @returns the new version. @throws UnusableKeyError, StoreFullError, StorageError */
  put(key: string, value: T): Promise<string>;
  /** @param version if given, only this one is deleted. @throws NotFoundError, VersionMismatchError, StorageError */
  delete(key: string, version?: string): Promise<void>;
  /** What is wrong with stored documents that cannot be used as they are (edits by hand). */
  readonly problems: Watchable<readonly ObjectStatus[]>;
}

/** More documents of one kind than a mesh needs; a client that creates them in a loop is stopped here. */
export const MAX_DOCUMENTS = 50_000;

export class AlreadyExistsError extends MeshError {
  constructor(key: string) {
    super('NM_STORE_EXISTS', `'${key}' exists already`, {
      by: 'client',
      next: 'Update it with its version, or choose another name.',
    });
  }
}

export class NotFoundError extends MeshError {
  constructor(key: string) {
    super('NM_STORE_NOT_FOUND', `'${key}' does not exist`, {
      by: 'client',
      next: 'List what exists; create it first.',
    });
  }
}

/** A key that no document of the kind can have, or that is too long for the storage. */
export class UnusableKeyError extends MeshError {
  constructor(key: string) {
    super(
      'NM_STORE_KEY',
      `${JSON.stringify(key.slice(0, 300))} cannot be stored: it is no name, or too long`,
      {
        by: 'client',
        next: 'Choose another name.',
      },
    );
  }
}

export class VersionMismatchError extends MeshError {
  /** The version that is stored now. */
  readonly version: string;

  constructor(key: string, version: string) {
    super('NM_STORE_VERSION', `'${key}' was changed by somebody else: its version is now ${version}`, {
      by: 'client',
      next: 'Read it again, apply your change to what is there now, and write with the new version.',
    });
    this.version = version;
  }
}

export class StoreFullError extends MeshError {
  constructor(limit: number) {
    super('NM_STORE_FULL', `the store holds ${limit} documents of this kind, which is the limit`, {
      by: 'client',
      next: 'Delete what is not needed.',
    });
  }
}

/** The storage behind the store failed; nothing was changed as far as is known. */
export class StorageError extends MeshError {
  constructor(what: string, cause: unknown) {
    super('NM_STORAGE', what, {
      by: 'mesh',
      next: 'Check the disk or the server that holds the storage: space, permissions, reachability.',
      cause,
    });
  }
}
