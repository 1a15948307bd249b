/**
 * One message after the other from the bytes of a connection, whatever pieces they come in. The usual head
 * lies whole in one piece and is read where it is; one that is cut is kept, in a buffer that grows up to the
 * limit of a head and holds nothing but the head, and each byte is still read once. Bodies are never kept.
 */

import { InvariantError } from '#base/errors.ts';
import { ChunkedBody } from './body/chunked-body.ts';
import { LF } from './bytes.ts';
import { readFields } from './head/field-lines.ts';
import {
  CHUNKED,
  LENGTH,
  type MessageHead,
  NO_BODY,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from './head/message-head.ts';
import { type Http1Limits, limitsOf } from './limits.ts';

const AT_START_LINE = 0;
const AT_FIELDS = 1;
const AT_BODY = 2;
/** An error was thrown: nothing is read any more. */
const BROKEN = 3;

const FIRST_KEPT = 1024;

export abstract class MessageParser<Head extends RequestHead | ResponseHead> {
  readonly head: Head;
  /** The message is complete; at once after the head when there is no body. */
  done = false;
  /** Bytes of the body so far, without the framing of chunks. */
  payloadBytes = 0;
  protected readonly limits: Readonly<Http1Limits>;
  private phase = AT_START_LINE;
  private kept: Buffer | undefined;
  private keptBytes = 0;
  /** Bytes of the body that are still to come, for LENGTH. */
  private remaining = 0;
  private chunks: ChunkedBody | undefined;

  constructor(head: Head, limits: Partial<Http1Limits> | undefined) {
    this.head = head;
    this.limits = limitsOf(limits);
  }

  /** Bytes of a head have come, but not all of them. An empty line before a request is none of it. */
  get started(): boolean {
    return this.keptBytes > (this.phase === AT_START_LINE ? this.head.line : 0);
  }

  /**
   * Reads a head from `chunk`, starting at `at`. @returns where the head ends (may be `chunk.length`), or -1:
   * more is needed, and all of the chunk was taken. @throws Http1Error when the head is refused; the parser is
   * of no use afterwards.
   */
  readHead(chunk: Buffer, at: number): number {
    const phase = this.phase;
    if (phase > AT_FIELDS) throw new InvariantError('readHead before next() or after an error');
    this.phase = BROKEN;
    if (this.keptBytes > 0) return this.readCut(phase, chunk, at);
    const end = this.parse(phase, chunk, at, chunk.length);
    if (end < 0 && at < chunk.length) this.keep(chunk, at, chunk.length);
    return end;
  }

  /**
   * Reads a body from `chunk`, starting at `at`. @param pieces is given the start and the end of each run of
   * payload, for those who can't pass the framing on. @returns where the bytes of this message end, framing
   * and trailers included; they are checked and may be passed on as they are. @throws Http1Error
   */
  readBody(chunk: Buffer, at: number, pieces?: number[]): number {
    if (this.phase !== AT_BODY) throw new InvariantError('readBody without a head, or after an error');
    if (this.done) return at;
    const { framing } = this.head;
    if (framing === CHUNKED) return this.readChunks(chunk, at, pieces);
    const there = chunk.length - at;
    const taken = framing === LENGTH && this.remaining < there ? this.remaining : there;
    if (framing === LENGTH) {
      this.remaining -= taken;
      this.done = this.remaining === 0;
    }
    this.payloadBytes += taken;
    if (pieces !== undefined && taken > 0) pieces.push(at, at + taken);
    return at + taken;
  }

  /**
   * The transport has ended. @returns true when that is a proper end of this message, false when it was cut
   * off (also when there is no message: ask `started`).
   */
  ended(): boolean {
    if (this.phase === AT_BODY && this.head.framing === UNTIL_CLOSE) this.done = true;
    return this.done;
  }

  /** Gets ready for the next message; the head's contents are gone. */
  next(): void {
    if (!this.done) throw new InvariantError('next() before the message is done');
    this.head.clear();
    this.phase = AT_START_LINE;
    this.done = false;
    this.payloadBytes = 0;
  }

  protected abstract readStartLine(bytes: Buffer, base: number, end: number): number;
  protected abstract finish(bytes: Buffer, base: number, end: number): void;

  /** @returns the end of the head in `bytes`, or -1. */
  private parse(phase: number, bytes: Buffer, base: number, end: number): number {
    const head: MessageHead = this.head;
    if (phase === AT_START_LINE) {
      const line = this.readStartLine(bytes, base, end);
      if (line < 0) {
        this.phase = AT_START_LINE;
        return -1;
      }
      head.line = line - base;
      head.fieldsStart = line - base;
    }
    const headEnd = readFields(head, this.limits, bytes, base, end);
    if (headEnd < 0) {
      this.phase = AT_FIELDS;
      return -1;
    }
    this.finish(bytes, base, headEnd);
    this.phase = AT_BODY;
    const { framing, length } = head;
    this.remaining = length;
    this.done = framing === NO_BODY || length === 0;
    if (framing === CHUNKED) {
      this.chunks ??= new ChunkedBody(head.side, this.limits);
      this.chunks.start();
    }
    return headEnd;
  }

  /** Goes on with a kept head, line by line, so that nothing of a body is ever copied. */
  private readCut(phase: number, chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length) {
      const lineFeed = chunk.indexOf(LF, at);
      const stop = Math.min(lineFeed < 0 ? chunk.length : lineFeed + 1, at + this.room(phase));
      this.keep(chunk, at, stop);
      at = stop;
      if (lineFeed + 1 !== at && this.room(phase) > 0) continue;
      const kept = this.kept!;
      const end = this.parse(phase, kept, 0, this.keptBytes);
      if (end >= 0) {
        this.forget();
        return at;
      }
      phase = this.phase;
      this.phase = BROKEN;
    }
    this.phase = phase;
    return -1;
  }

  /** Bytes that the line which is cut may still have. With none left, reading it throws. */
  private room(phase: number): number {
    const line = phase === AT_START_LINE ? this.limits.lineBytes : this.limits.fieldBytes;
    const left = this.head.line + line + 2 - this.keptBytes;
    return Math.max(
      0,
      phase === AT_START_LINE ? left : Math.min(left, this.limits.headBytes - this.keptBytes),
    );
  }

  private keep(chunk: Buffer, from: number, to: number): void {
    const bytes = this.keptBytes + to - from;
    if (this.kept === undefined || this.kept.length < bytes) {
      const size = Math.max(bytes, FIRST_KEPT, (this.kept?.length ?? 0) * 2);
      const larger = Buffer.allocUnsafeSlow(size);
      this.kept?.copy(larger, 0, 0, this.keptBytes);
      this.kept = larger;
    }
    chunk.copy(this.kept, this.keptBytes, from, to);
    this.keptBytes = bytes;
  }

  private forget(): void {
    this.kept = undefined;
    this.keptBytes = 0;
  }

  private readChunks(chunk: Buffer, at: number, pieces: number[] | undefined): number {
    const chunks = this.chunks!;
    this.phase = BROKEN;
    const end = chunks.read(chunk, at, pieces);
    this.phase = AT_BODY;
    this.payloadBytes = chunks.payloadBytes;
    this.done = chunks.done;
    return end;
  }
}
