/** What users of HTTP/2 give and get: the types of the public face. No sockets anywhere. */

import type { H2Error } from './error.ts';
import type { Header } from './hpack/header.ts';

export interface H2Transport {
  /**
   * Takes bytes; the buffer is never changed afterwards. Must not call back into the connection.
   * @returns false to be left alone until `connection.drained()`.
   */
  write(chunk: Buffer): boolean;
  /** The same for several buffers at once (cork, writev); without it they are joined first. */
  writev?(chunks: readonly Buffer[]): boolean;
  /**
   * Flush what was written, then close both directions without waiting for the peer (`socket.destroySoon()`):
   * HTTP/2 has no use for a half-open transport.
   */
  end(): void;
  /** Close now. */
  destroy(): void;
}

/** Why a stream ended early: RST_STREAM or GOAWAY by the peer, this end, or the whole connection died. */
export type ResetBy = 'peer' | 'local' | 'connection';

export interface StreamEvents {
  /** Response, interim responses (1xx) and trailers. On a server: trailers only. */
  onHeaders(headers: readonly Header[], endStream: boolean): void;
  /**
   * A piece of the peer's bytes: a view of the buffer given to `receive()`, as valid as that buffer is. Give
   * the credit back with `consumed(chunk.length)` when it has been passed on.
   */
  onData(chunk: Buffer): void;
  /** The peer has half-closed; comes after all data and headers, also when those said `endStream`. */
  onEnd(): void;
  /** At most once, and nothing comes after it; also for the caller's own `reset()`. */
  onReset(code: number, by: ResetBy): void;
  /** `write()` returned false before and may go on. */
  onDrain(): void;
  /** After `end()` or trailers: all that was written, and the end, was given to the transport. */
  onSent?(): void;
}

export interface H2Stream {
  readonly id: number;
  events: StreamEvents;
  /** Server: interim responses and the response. */
  respond(headers: readonly Header[] | EncodedHeaders, endStream?: boolean): void;
  /**
   * Sends bytes. Up to `COPIED_BYTES` they are copied before this returns; more may be kept by reference
   * until sent, so that buffer must not be reused.
   * @returns false to be left alone until `onDrain`. Who goes on regardless is reset at `limits.streamSendBytes`.
   */
  write(chunk: Buffer): boolean;
  /** Half-closes this direction, after everything written. */
  end(): void;
  /** Ends this direction with trailers, after everything written. Not for CONNECT (RFC 9113 §8.5). */
  trailers(headers: readonly Header[]): void;
  /** Ends both directions now; what waits is dropped. Nothing happens when already closed. */
  reset(code: number): void;
  /** Lets the peer send as many bytes more. */
  consumed(bytes: number): void;
  /** Both directions have ended, or it was reset. */
  readonly closed: boolean;
}

/** Headers in their wire form, encoded once by `encodeHeaders` for use on any connection. */
export interface EncodedHeaders {
  readonly headers: readonly Header[];
  readonly bytes: Buffer;
}

export interface ConnectionEvents {
  /** The peer's SETTINGS have arrived. */
  onReady(): void;
  /** Server: a request. Without it every request is refused. */
  onStream?(stream: H2Stream, headers: readonly Header[], endStream: boolean): StreamEvents;
  /** Server: a request was reset instead, for its head is malformed. */
  onMalformed?(): void;
  /** The peer takes no further streams; those above `lastStreamId` are reset with REFUSED_STREAM next. */
  onGoaway(code: number, lastStreamId: number): void;
  /** Once, last. Undefined after a graceful end. The owner then closes a transport that lingers. */
  onClosed(error: H2Error | undefined): void;
  onPong?(): void;
}

/** What this end announces. */
export interface LocalSettings {
  /** Bytes each stream may have in flight towards us. */
  initialWindowSize: number;
  /** Largest frame payload taken, 16,384 to 16,777,215. */
  maxFrameSize: number;
  /** Streams the peer may have open. */
  maxConcurrentStreams: number;
  /** Bytes of one header list, 32 added per field (RFC 9113 §6.5.2). */
  maxHeaderListSize: number;
  /** Bytes of the HPACK table kept for the peer's encoder. */
  headerTableSize: number;
  /** Take extended CONNECT (RFC 8441). */
  enableConnectProtocol: boolean;
}

/** Bounds of what a peer can make us hold or do. Rates refill with time and with useful work. */
export interface H2Limits {
  /** Bytes one stream may hold while the peer's window or the transport is closed. */
  streamSendBytes: number;
  /** The same for all streams together. */
  connectionSendBytes: number;
  /** Bytes of control frames held while the transport is closed. */
  controlBytes: number;
  /** Encoded bytes of one header block, over all its frames. */
  headerBlockBytes: number;
  /** CONTINUATION frames of one header block. */
  continuations: number;
  /** Streams that ended before we answered them: burst, and per second (rapid reset, CVE-2023-44487). */
  resetBurst: number;
  resetsPerSecond: number;
  /** PING and SETTINGS, which we have to answer. */
  ackBurst: number;
  acksPerSecond: number;
  /** Frames that move nothing: empty DATA, PRIORITY, unknown types, frames on closed streams. */
  idleBurst: number;
  idlesPerSecond: number;
  /** WINDOW_UPDATEs beyond ten per DATA frame that we sent. */
  windowUpdateBurst: number;
  windowUpdatesPerSecond: number;
}

export type ConnectionState = 'opening' | 'open' | 'draining' | 'closed';
