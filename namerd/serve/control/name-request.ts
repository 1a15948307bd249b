/** What requests about names ask for: a path, and dentries that come after those of the namespace. */

import type { Clock } from '#base/clock.ts';
import { firstWhere, type Watchable } from '#base/watch.ts';
import { Dtab, NameSyntaxError, type Path, parseDtab, parsePath } from '#names';
import { HttpError, type Request } from '../http/exchange.ts';

/** How long a request waits for a name that is still being bound. */
export const PENDING_MS = 10_000;

/** @throws HttpError 400 with Linkerd's wording */
export function readPath(text: string | null | undefined, { brief = false } = {}): Path {
  if (text === null || text === undefined) throw new HttpError(400, "the parameter 'path' is missing");
  return parsed('path', text, brief, parsePath);
}

/** @throws HttpError 400 */
export function readDtab(text: string | null | undefined, { brief = false } = {}): Dtab {
  return text === null || text === undefined ? Dtab.empty : parsed('dtab', text, brief, parseDtab);
}

/** @param brief as `delegate` words it, without repeating the text. */
function parsed<T>(what: string, text: string, brief: boolean, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    throw new HttpError(400, `Invalid ${what}: ${brief ? '' : `${text} / `}${error.message}`);
  }
}

/**
 * The first value that is settled.
 * @throws HttpError 503 after PENDING_MS, or when the client is gone or the server stops
 */
export async function settled<T>(
  source: Watchable<T>,
  isSettled: (value: T) => boolean,
  request: Request,
  clock: Clock,
): Promise<T> {
  const late = new AbortController();
  const timer = clock.after(PENDING_MS, () => late.abort());
  try {
    return await firstWhere(source, isSettled, AbortSignal.any([request.signal, late.signal]));
  } catch (error) {
    if (!late.signal.aborted && !request.signal.aborted) throw error;
    throw new HttpError(
      503,
      `no answer within ${PENDING_MS / 1000} s: a namer on the way is still waiting for its source`,
    );
  } finally {
    timer.cancel();
  }
}
