/**
 * What one message may take. Over a limit: 414, 431 or 400, for a response 502, and nothing more is read.
 *
 * | limit | here | others |
 * |---|---|---|
 * | start line | 8 KiB | Linkerd 1 `maxInitialLineKB` 4, nginx and Apache 8 KiB |
 * | one field line | 8 KiB | nginx and Apache 8 KiB |
 * | whole head | 64 KiB | Linkerd 1 `maxHeadersKB` 8, Node.js 16 KiB, nginx 4 × 8 KiB, Envoy 60 KiB |
 * | fields | 100 | Apache and Envoy 100, Node.js 2,000 |
 * | trailer section | 8 KiB | Node.js: with the head |
 * | digits of a chunk size | 16 | value below 2^53 in any case |
 *
 * Wider than Linkerd where applications behind an ingress are known to need it: cookies and tokens.
 */

export interface Http1Limits {
  /** Request or status line without its CRLF, bytes. */
  lineBytes: number;
  /** One field line without its CRLF, bytes. */
  fieldBytes: number;
  /** Start line, field lines and the empty line, bytes. */
  headBytes: number;
  /** Field lines of a head, and again of a trailer section. */
  fields: number;
  /** Trailer section with its empty line, bytes. */
  trailerBytes: number;
}

export const HTTP1_LIMITS: Readonly<Http1Limits> = {
  lineBytes: 8192,
  fieldBytes: 8192,
  headBytes: 65_536,
  fields: 100,
  trailerBytes: 8192,
};

/** Hexadecimal digits of a chunk size, leading zeros included. */
export const CHUNK_DIGITS = 16;

/** Options of Connection that are not known ones: each costs a look at every field. */
export const CONNECTION_OPTIONS = 16;

export function limitsOf(partial: Partial<Http1Limits> | undefined): Readonly<Http1Limits> {
  return partial === undefined ? HTTP1_LIMITS : { ...HTTP1_LIMITS, ...partial };
}
