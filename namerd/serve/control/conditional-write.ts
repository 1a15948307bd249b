/** PUT and DELETE with `If-Match` and `If-None-Match` upon a versioned store. */

import { type DocumentStore, NotFoundError, VersionMismatchError } from '../../store/index.ts';
import { type Condition, matchesStrongly, readCondition } from '../http/entity-tag.ts';
import { HttpError, type Request } from '../http/exchange.ts';

/** How often a write with `If-Match: *` is tried when somebody else writes at the same time. */
const MAX_TRIES = 5;

export interface Written {
  version: string;
  created: boolean;
}

/**
 * Without a condition: creates or replaces. `If-Match`: replaces the version named, or any with `*`.
 * `If-None-Match: *`: only creates.
 * @throws HttpError 400, 412; NotFoundError, VersionMismatchError and what the store throws
 */
export async function conditionalPut<T>(
  store: DocumentStore<T>,
  key: string,
  value: T,
  { headers }: Pick<Request, 'headers'>,
): Promise<Written> {
  const condition = readCondition(headers['if-match']);
  if (headers['if-none-match'] !== undefined) {
    if (readCondition(headers['if-none-match']).type !== 'any' || condition.type !== 'none')
      throw new HttpError(400, "a write takes If-Match, or 'If-None-Match: *' alone");
    if (store.documents.current.has(key)) throw new HttpError(412, `'${key}' exists already`);
    return { version: await store.create(key, value), created: true };
  }
  if (condition.type === 'none') {
    const created = !store.documents.current.has(key);
    return { version: await store.put(key, value), created };
  }
  const version = await whileMatching(store, key, condition, version => store.update(key, value, version));
  return { version, created: false };
}

/** @throws as {@link conditionalPut} */
export async function conditionalDelete<T>(
  store: DocumentStore<T>,
  key: string,
  { headers }: Pick<Request, 'headers'>,
): Promise<void> {
  const condition = readCondition(headers['if-match']);
  if (condition.type === 'none') await store.delete(key);
  else await whileMatching(store, key, condition, version => store.delete(key, version));
}

async function whileMatching<T, R>(
  store: DocumentStore<T>,
  key: string,
  condition: Condition,
  act: (version: string) => Promise<R>,
): Promise<R> {
  for (let tries = 1; ; tries++) {
    const stored = store.documents.current.get(key);
    if (stored === undefined) throw new NotFoundError(key);
    if (!matchesStrongly(condition, stored.version)) throw new VersionMismatchError(key, stored.version);
    try {
      return await act(stored.version);
    } catch (error) {
      if (!(error instanceof VersionMismatchError) || tries >= MAX_TRIES) throw error;
    }
  }
}
