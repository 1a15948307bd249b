/** Versioned documents: in memory or as files. */

export {
  AlreadyExistsError,
  type DocumentStore,
  type Documents,
  MAX_DOCUMENTS,
  NotFoundError,
  StorageError,
  StoreFullError,
  type Versioned,
  VersionMismatchError,
} from './document-store.ts';
export { StoreBusyError } from './file/turn-queue.ts';
export { fileStorage, memoryStorage, type Storage, storeOf } from './storage.ts';
