/**
 * Unary gRPC calls over HTTP/2 cleartext, many streams on a connection. Requests are the same bytes each time but
 * for the stream's id. Of answers only the frames are looked at: one message of the right length, then trailers
 * that end the stream. (That those say OK follows: a failed call has no message of that length.)
 */

import { encodeHeaders } from '../../../node-proxy/http2/index.ts';
import type { Dialect } from './dialect.ts';
import * as frames from './frames.ts';
import { numberOf } from './numbered.ts';

export const GRPC_PATH = '/bench.Source/Bytes';
/** Compressed flag and length in front of every message. */
export const MESSAGE_HEAD_BYTES = 5;
const LARGEST_WINDOW = 0x7fffffff;
const FIRST_WINDOW = 65_535;
/** Credit for the connection is given back in pieces of this size. */
const CREDIT_BYTES = 1 << 28;

export function grpcDialect(authority: string, bodyBytes: number): Dialect {
  const { bytes: block } = encodeHeaders([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', GRPC_PATH],
    [':authority', authority],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ['user-agent', 'nodemesh-bench'],
  ]);
  const wanted = Buffer.alloc(4);
  wanted.writeUInt32BE(bodyBytes);
  const head = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, block);
  const data = frames.frame(frames.DATA, frames.END_STREAM, 0, message(wanted));
  return {
    opening: Buffer.concat([
      frames.PREFACE,
      frames.settings([
        [frames.ENABLE_PUSH, 0],
        [frames.INITIAL_WINDOW_SIZE, LARGEST_WINDOW],
      ]),
      frames.windowUpdate(0, LARGEST_WINDOW - FIRST_WINDOW),
    ]),
    request: Buffer.concat([head, data]),
    streamIdAt: [frames.STREAM_ID_AT, head.length + frames.STREAM_ID_AT],
    reader: (write, answered) => {
      const answers = new Answers(MESSAGE_HEAD_BYTES + bodyBytes, write, answered);
      const scanner = new frames.FrameScanner(answers);
      return chunk => scanner.read(chunk);
    },
  };
}

/** A length-prefixed message, not compressed. */
export function message(content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(MESSAGE_HEAD_BYTES + content.length);
  bytes.writeUInt32BE(content.length, 1);
  bytes.set(content, MESSAGE_HEAD_BYTES);
  return bytes;
}

class Answers implements frames.FrameSink {
  readonly #expected: number;
  readonly #write: (bytes: Buffer) => void;
  readonly #answered: (n: number) => void;
  /** Bytes of DATA that each open stream has brought. */
  readonly #received = new Map<number, number>();
  #uncredited = 0;

  constructor(expected: number, write: (bytes: Buffer) => void, answered: (n: number) => void) {
    this.#expected = expected;
    this.#write = write;
    this.#answered = answered;
  }

  onFrame(type: number, flags: number, streamId: number, length: number, payload: Buffer): void {
    switch (type) {
      case frames.DATA: {
        this.#credit(length);
        const received = (this.#received.get(streamId) ?? 0) + length;
        this.#received.set(streamId, received);
        if ((flags & frames.END_STREAM) !== 0) throw new Error(`stream ${streamId} ended without trailers`);
        return;
      }
      case frames.HEADERS: {
        if ((flags & frames.END_STREAM) === 0) return;
        const received = this.#received.get(streamId) ?? 0;
        this.#received.delete(streamId);
        if (received !== this.#expected)
          throw new Error(`a call was answered with ${received} of ${this.#expected} bytes`);
        this.#answered(numberOf(streamId));
        return;
      }
      case frames.SETTINGS:
        if ((flags & frames.ACK) === 0) this.#write(frames.frame(frames.SETTINGS, frames.ACK, 0));
        return;
      case frames.PING:
        if ((flags & frames.ACK) === 0)
          this.#write(frames.frame(frames.PING, frames.ACK, 0, Buffer.from(payload)));
        return;
      case frames.RST_STREAM:
        throw new Error(`stream ${streamId} was reset with code ${payload.readUInt32BE(0)}`);
      case frames.GOAWAY:
        throw new Error(`GOAWAY with code ${payload.readUInt32BE(4)}: ${payload.toString('latin1', 8)}`);
    }
  }

  #credit(bytes: number): void {
    this.#uncredited += bytes;
    if (this.#uncredited < CREDIT_BYTES) return;
    this.#write(frames.windowUpdate(0, this.#uncredited));
    this.#uncredited = 0;
  }
}
