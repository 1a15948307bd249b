/** One request and its answer, as handlers see them: plain data, no sockets. */

import type { IncomingHttpHeaders } from 'node:http';
import { MeshError } from '#base/errors.ts';

export interface Request {
  readonly method: string;
  readonly path: string;
  /** The values of the pattern's `:names`, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The whole body as UTF-8 text. @throws HttpError 400 (not UTF-8, cut off), 413 (too long) */
  text(): Promise<string>;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

export interface WholeReply {
  status: number;
  /** Media type; absent for replies without one. */
  type?: string;
  etag?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

/** A stream of lines; each line is the newest state, so a slow reader skips states and loses nothing. */
export interface StreamReply {
  status: 200;
  type?: string;
  /** Begins to tell lines (without the newline) and returns how to stop. May call `end` with a last line. */
  lines(tell: (line: string) => void, end: (line: string) => void): () => void;
}

export type Reply = WholeReply | StreamReply;
export type Handler = (request: Request) => Reply | Promise<Reply>;
export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

/** A request that is answered with an error status. */
export class HttpError extends MeshError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(`NM_HTTP_${status}`, message, { by: status < 500 ? 'client' : 'mesh' });
    this.status = status;
    this.headers = headers;
  }
}

/** A JSON body, ending in a newline as Linkerd's do. */
export function json(
  value: unknown,
  { status = 200, etag }: { status?: number; etag?: string } = {},
): WholeReply {
  const reply = { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
  return etag === undefined ? reply : { ...reply, etag };
}

export function noContent(etag?: string): WholeReply {
  return etag === undefined ? { status: 204 } : { status: 204, etag };
}

/** `?name=true`, `?name=1` or `?name`. @throws HttpError 400 for anything else but false, 0 */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null || value === 'false' || value === '0') return false;
  if (value === 'true' || value === '1' || value === '') return true;
  throw new HttpError(400, `${name}=${value}: true or false is expected`);
}
