/** How the load generator speaks on a connection: what a request is in bytes, and where its answer ends. */

/** What to say; travels as JSON. */
export type Speech =
  /** 64 bytes there and back (`requests.ts`). */
  | { language: 'echo' }
  /** HTTP/1.1, keep-alive: answered with so many bytes; GET, or POST with a body of `sentBytes`. */
  | { language: 'http'; bodyBytes: number; sentBytes?: number }
  /** A unary call over HTTP/2 cleartext, answered with a message of so many bytes and trailers. */
  | { language: 'grpc'; bodyBytes: number };

export interface Dialect {
  /** What every connection begins with. */
  opening?: Buffer;
  /** One request. */
  request: Buffer;
  /** Where in it the id of its stream belongs; empty: answers come in the order of the requests. */
  streamIdAt: readonly number[];
  /**
   * Reads what one connection brings; throws when an answer is not exactly what was asked for.
   * @param write for what the protocol itself has to say.
   * @param answered the connection's nth request, counted from 0, is answered.
   */
  reader(write: (bytes: Buffer) => void, answered: (n: number) => void): (chunk: Buffer) => void;
}
