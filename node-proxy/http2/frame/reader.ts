/**
 * Bytes to frames (RFC 9113 §4.1), whatever pieces the bytes come in. DATA is passed on as it arrives,
 * without waiting for the whole frame and without copying. Other frames are passed on whole; most lie whole
 * in the input and are not copied either. What has to be kept between pieces is bounded: nine bytes of
 * header, and a payload whose length was checked before any of it was kept.
 *
 *            ┌────────────── HEAD ◄─────────────────────────────┐
 *   DATA     │ padded                     other types           │ after the last byte,
 *   unpadded ▼         ▼                       ▼                │ or at once when empty
 *          BODY ◄── PAD_LENGTH             GATHER ──► SKIP ─────┤ (SKIP: padding, unknown types,
 *            └──────────────────────────────────────► SKIP ─────┘  debug data of GOAWAY)
 */

import {
  CONTINUATION,
  DATA,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_PADDED,
  FRAME_HEADER_BYTES,
  H2Code,
  HEADERS,
  PREFACE,
  SETTINGS,
} from '../constants.ts';
import { Violation } from '../error.ts';
import { wantedBytes, wrongSize, wrongStream } from './shape.ts';

/** Receives frames in order; may throw a Violation, or call {@link FrameReader.stop}. */
export interface FrameSink {
  /** @param length of the whole payload, padding included: what flow control counts. */
  dataBegins(streamId: number, length: number, flags: number): void;
  /** A piece of the data, never padding, never empty. */
  data(buffer: Buffer, start: number, end: number): void;
  dataEnds(): void;
  /** Any other frame; the payload is valid during the call. Empty for unknown types. */
  frame(type: number, flags: number, streamId: number, payload: Buffer, start: number, end: number): void;
}

const HEAD = 0;
const BODY = 1;
const PAD_LENGTH = 2;
const GATHER = 3;
const SKIP = 4;
const STOPPED = 5;
const OPENING = 6;

const EMPTY = Buffer.alloc(0);

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameSize: number;
  readonly #maxHeaderBytes: number;
  #mode: number;
  /** Bytes left of what the mode reads. */
  #left = 0;
  #padding = 0;
  /** Frame being read. */
  #length = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES);
  #headBytes = 0;
  #gathered: Buffer = EMPTY;
  /** A header block of this stream is unfinished: only its CONTINUATION may come (§6.10). */
  #unfinished = 0;
  #first = true;

  /** @param expectPreface true on a server. */
  constructor(
    sink: FrameSink,
    limits: { maxFrameSize: number; maxHeaderBytes: number },
    expectPreface: boolean,
  ) {
    this.#sink = sink;
    this.#maxFrameSize = limits.maxFrameSize;
    this.#maxHeaderBytes = limits.maxHeaderBytes;
    this.#mode = expectPreface ? OPENING : HEAD;
    this.#left = PREFACE.length;
  }

  /** Nothing more is passed on, not even the rest of the present input. */
  stop(): void {
    this.#mode = STOPPED;
  }

  /** @throws Violation when the peer breaks the framing, or from the sink. */
  read(chunk: Buffer): void {
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      switch (this.#mode) {
        case HEAD:
          at = this.#readHead(chunk, at, end);
          break;
        case BODY: {
          const stop = Math.min(end, at + this.#left);
          this.#left -= stop - at;
          const done = this.#left === 0;
          // Before the call: the sink may stop us.
          if (done) this.#afterData();
          this.#sink.data(chunk, at, stop);
          at = stop;
          if (done) this.#endDataUnlessPadded();
          break;
        }
        case PAD_LENGTH:
          this.#readPadLength(chunk[at++]!);
          break;
        case GATHER:
          at = this.#gather(chunk, at, end);
          break;
        case SKIP: {
          const stop = Math.min(end, at + this.#left);
          this.#left -= stop - at;
          at = stop;
          if (this.#left === 0) {
            this.#mode = HEAD;
            if (this.#type === DATA) this.#sink.dataEnds();
          }
          break;
        }
        case OPENING:
          at = this.#readPreface(chunk, at, end);
          break;
        default:
          return;
      }
    }
  }

  #readPreface(chunk: Buffer, at: number, end: number): number {
    const from = PREFACE.length - this.#left;
    const stop = Math.min(end, at + this.#left);
    if (PREFACE.compare(chunk, at, stop, from, from + stop - at) !== 0)
      throw new Violation(H2Code.PROTOCOL_ERROR, 'the connection does not begin with the HTTP/2 preface');
    this.#left -= stop - at;
    if (this.#left === 0) this.#mode = HEAD;
    return stop;
  }

  #readHead(chunk: Buffer, at: number, end: number): number {
    if (this.#headBytes === 0 && end - at >= FRAME_HEADER_BYTES) {
      this.#begin(chunk, at);
      return at + FRAME_HEADER_BYTES;
    }
    const stop = Math.min(end, at + FRAME_HEADER_BYTES - this.#headBytes);
    chunk.copy(this.#head, this.#headBytes, at, stop);
    this.#headBytes += stop - at;
    if (this.#headBytes === FRAME_HEADER_BYTES) {
      this.#headBytes = 0;
      this.#begin(this.#head, 0);
    }
    return stop;
  }

  #begin(head: Buffer, at: number): void {
    const length = (head[at]! << 16) | (head[at + 1]! << 8) | head[at + 2]!;
    const type = head[at + 3]!;
    const flags = head[at + 4]!;
    const streamId =
      ((head[at + 5]! & 0x7f) << 24) | (head[at + 6]! << 16) | (head[at + 7]! << 8) | head[at + 8]!;
    this.#length = length;
    this.#type = type;
    this.#flags = flags;
    this.#streamId = streamId;
    if (length > this.#maxFrameSize) throw wrongSize(this.#type, this.#length);
    if (this.#unfinished !== 0 || this.#first || type === CONTINUATION) this.#checkOrder();
    if (type === DATA) this.#beginData();
    else this.#beginOther();
  }

  #checkOrder(): void {
    if (this.#first) {
      // RFC 9113 §3.4
      if (this.#type !== SETTINGS || (this.#flags & FLAG_ACK) !== 0)
        throw new Violation(H2Code.PROTOCOL_ERROR, 'the first frame is not SETTINGS');
      this.#first = false;
    } else if (this.#unfinished === 0)
      throw new Violation(H2Code.PROTOCOL_ERROR, 'CONTINUATION without a header block');
    else if (this.#type !== CONTINUATION || this.#streamId !== this.#unfinished)
      throw new Violation(H2Code.PROTOCOL_ERROR, 'a header block is interrupted');
  }

  #beginData(): void {
    const length = this.#length;
    if (this.#streamId === 0) throw wrongStream(this.#type, this.#streamId);
    this.#padding = 0;
    if ((this.#flags & FLAG_PADDED) !== 0) {
      if (length === 0) throw wrongSize(this.#type, this.#length);
      this.#mode = PAD_LENGTH;
      this.#sink.dataBegins(this.#streamId, length, this.#flags);
      return;
    }
    if (length > 0) {
      this.#left = length;
      this.#mode = BODY;
      this.#sink.dataBegins(this.#streamId, length, this.#flags);
      return;
    }
    this.#sink.dataBegins(this.#streamId, 0, this.#flags);
    this.#sink.dataEnds();
  }

  #readPadLength(padding: number): void {
    const rest = this.#length - 1;
    if (padding > rest) throw new Violation(H2Code.PROTOCOL_ERROR, 'padding is longer than its frame');
    this.#padding = padding;
    this.#left = rest - padding;
    if (this.#left > 0) this.#mode = BODY;
    else {
      this.#afterData();
      this.#endDataUnlessPadded();
    }
  }

  #afterData(): void {
    this.#left = this.#padding;
    this.#mode = this.#padding > 0 ? SKIP : HEAD;
  }

  #endDataUnlessPadded(): void {
    if (this.#mode === HEAD) this.#sink.dataEnds();
  }

  #beginOther(): void {
    const type = this.#type;
    const wanted = wantedBytes(type, this.#length, this.#flags, this.#streamId, this.#maxHeaderBytes);
    if (type === HEADERS || type === CONTINUATION)
      this.#unfinished = (this.#flags & FLAG_END_HEADERS) === 0 ? this.#streamId : 0;
    if (wanted === 0) {
      this.#deliver(EMPTY, 0, 0);
      return;
    }
    this.#left = wanted;
    this.#mode = GATHER;
  }

  #gather(chunk: Buffer, at: number, end: number): number {
    const kept = this.#gathered;
    if (kept.length === 0 && end - at >= this.#left) {
      const stop = at + this.#left;
      this.#deliver(chunk, at, stop);
      return stop;
    }
    if (kept.length === 0) this.#gathered = Buffer.allocUnsafe(this.#left);
    const into = this.#gathered;
    const stop = Math.min(end, at + this.#left);
    chunk.copy(into, into.length - this.#left, at, stop);
    this.#left -= stop - at;
    if (this.#left === 0) {
      this.#gathered = EMPTY;
      this.#deliver(into, 0, into.length);
    }
    return stop;
  }

  #deliver(payload: Buffer, start: number, end: number): void {
    this.#left = this.#length - (end - start);
    this.#mode = this.#left > 0 ? SKIP : HEAD;
    this.#sink.frame(this.#type, this.#flags, this.#streamId, payload, start, end);
  }
}
