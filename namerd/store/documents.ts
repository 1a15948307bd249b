/** Changes to immutable, sorted snapshots of documents. */

import type { Documents, Versioned } from './document-store.ts';

export function withDocument<T>(documents: Documents<T>, key: string, document: Versioned<T>): Documents<T> {
  if (documents.has(key)) return new Map(documents).set(key, document);
  return sorted([...documents, [key, document]]);
}

export function withoutDocument<T>(documents: Documents<T>, key: string): Documents<T> {
  const rest = new Map(documents);
  rest.delete(key);
  return rest;
}

/** By code unit, so that the order is the same everywhere. */
export function sorted<T>(entries: Iterable<readonly [string, Versioned<T>]>): Documents<T> {
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
