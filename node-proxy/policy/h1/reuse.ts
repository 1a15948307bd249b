/** Connections that were used before: who may use one again, and which are fit to wait. */

import { Http1Error, type RequestHead, type ResponseParser, UNTIL_CLOSE } from '../../http1/index.ts';
import { isIdempotent } from '../exchange/idempotent.ts';
import type { H1Upstream, IdlePool } from './upstream-connection.ts';

/** Others use a waiting connection only if it was used a moment ago: servers close them after some seconds. */
const FRESH_MS = 1_000;

/** Who uses a connection again that was just being closed has to be repeated. */
export function takeIdle({ idle }: IdlePool, nowMs: number, { method }: RequestHead): H1Upstream | undefined {
  let last = idle[idle.length - 1];
  // Takes itself away.
  for (; last?.wire.retired === true; last = idle[idle.length - 1]) last.destroy();
  if (last === undefined || (nowMs - last.idleSinceMs > FRESH_MS && !isIdempotent(method))) return undefined;
  idle.pop();
  return last;
}

/** May another request follow on the application's connection? */
export function isReusable({ parser }: H1Upstream, { minor }: RequestHead): boolean {
  const { keepAlive, framing } = parser.head;
  return parser.done && minor === 1 && keepAlive && framing !== UNTIL_CLOSE;
}

/** Is the rest of a response in the chunk, and nothing else? */
export function isWhole(parser: ResponseParser, chunk: Buffer, at: number): boolean {
  try {
    return parser.readBody(chunk, at) === chunk.length && parser.done;
  } catch (error) {
    if (error instanceof Http1Error) return false;
    throw error;
  }
}

/**
 * A server may close a connection that waits at any time: the request and the close may have crossed.
 * @param bodyBytes of the request, which would be sent again.
 */
export function mayHaveCrossed(connection: H1Upstream, head: RequestHead, bodyBytes: number): boolean {
  return connection.waited && !connection.parser.started && bodyBytes === 0 && isIdempotent(head.method);
}
