/**
 * HTTP/2 (RFC 9113, RFC 7541) as pure code without sockets. Our own because `node:http2` costs too much per
 * stream and per small chunk: a tunnel is many of both.
 */

export type {
  ConnectionEvents,
  ConnectionState,
  EncodedHeaders,
  H2Limits,
  H2Stream,
  H2Transport,
  LocalSettings,
  ResetBy,
  StreamEvents,
} from './api.ts';
export { H2Connection, type H2Options } from './connection.ts';
export { H2Code, nameOfCode } from './constants.ts';
export { encodeHeaders, STATUS_200 } from './encoded.ts';
export { H2Error, type Initiator } from './error.ts';
export type { Header } from './hpack/header.ts';
export { COPIED_BYTES } from './send/output.ts';
