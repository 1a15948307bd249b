/**
 * Frames on their way to the transport. Small frames of one turn of the event loop are written into one
 * buffer and leave as one write, since a write (a TLS record, a system call) costs far more than a frame.
 * Large payloads are passed by reference behind their header.
 *
 * While the transport is full (`blocked`) only control frames are added; data waits in its stream's queue.
 * Invariant: bytes given to the transport are never changed again; the buffer is only ever appended to.
 */

import type { H2Transport } from '../api.ts';
import { DATA, FLAG_END_STREAM, FRAME_HEADER_BYTES } from '../constants.ts';
import { putFrameHeader } from '../frame/writer.ts';

/** Payloads up to this size are copied: that costs no more than handing one buffer more to the transport. */
export const COPIED_BYTES = 8_192;
/** Pending bytes that are written at once instead of at the end of the turn; a quarter of it costs 10 % more CPU. */
const FLUSH_AT_BYTES = 262_144;
/** A turn with no more than this is an idle connection's PING: it shall hold no buffer until the next. */
const IDLE_BYTES = 64;
const MIN_SLAB_BYTES = 512;
const MAX_SLAB_BYTES = 65_536;
const EMPTY = Buffer.alloc(0);

export type Schedule = (flush: () => void) => void;

export class Output {
  readonly #transport: H2Transport;
  readonly #schedule: Schedule;
  readonly #flushLater = () => {
    this.#scheduled = false;
    this.flush();
  };
  #scheduled = false;
  #closed = false;
  /** Full buffers and payloads by reference that come before the current buffer. */
  #segments: Buffer[] = [];
  /** The current buffer. [#start, #at) is not yet written; frames go to `#at`. */
  slab: Buffer = EMPTY;
  #start = 0;
  #at = 0;
  #nextSlabBytes = MIN_SLAB_BYTES;
  /** The last DATA frame in the current buffer, so that END_STREAM can still be set on it. */
  #lastDataAt = -1;
  #lastDataStream = 0;
  /** Bytes not yet given to the transport. */
  pending = 0;
  /** The transport asked to be left alone. */
  blocked = false;

  constructor(transport: H2Transport, schedule: Schedule) {
    this.#transport = transport;
    this.#schedule = schedule;
  }

  /** Makes room in `slab` and returns the offset at which to write; follow with {@link Output.wrote}. */
  reserve(bytes: number): number {
    if (this.slab.length - this.#at < bytes) this.#nextSlab(bytes);
    return this.#at;
  }

  /** @param end offset in `slab` behind what was written. */
  wrote(end: number): void {
    this.pending += end - this.#at;
    this.#at = end;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#schedule(this.#flushLater);
    }
  }

  /** One DATA frame. */
  data(streamId: number, flags: number, chunk: Buffer, start: number, end: number): void {
    const bytes = end - start;
    this.dataHeader(streamId, flags, bytes);
    if (bytes > 0) this.payload(chunk, start, end);
  }

  /** The header of a DATA frame; `bytes` of payload must follow in any number of pieces. */
  dataHeader(streamId: number, flags: number, bytes: number): void {
    const at = this.reserve(bytes <= COPIED_BYTES ? FRAME_HEADER_BYTES + bytes : FRAME_HEADER_BYTES);
    this.#lastDataAt = at;
    this.#lastDataStream = streamId;
    this.wrote(putFrameHeader(this.slab, at, bytes, DATA, flags, streamId));
  }

  payload(chunk: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes <= COPIED_BYTES) {
      const at = this.reserve(bytes);
      if (bytes === chunk.length) this.slab.set(chunk, at);
      else chunk.copy(this.slab, at, start, end);
      this.wrote(at + bytes);
    } else {
      this.#closeSegment();
      this.#segments.push(bytes === chunk.length ? chunk : chunk.subarray(start, end));
      this.pending += bytes;
    }
    if (this.pending >= FLUSH_AT_BYTES) this.flush();
  }

  /** Sets END_STREAM on the last DATA frame if that is this stream's and has not left; else false. */
  endLastData(streamId: number): boolean {
    if (this.#lastDataAt < 0 || this.#lastDataStream !== streamId) return false;
    this.slab[this.#lastDataAt + 4]! |= FLAG_END_STREAM;
    this.#lastDataAt = -1;
    return true;
  }

  flush(): void {
    if (!this.blocked) this.#write();
  }

  /** The transport has room again. */
  drained(): void {
    this.blocked = false;
    this.#write();
  }

  /** Writes what is pending and ends the transport. */
  finish(): void {
    if (this.#closed) return;
    this.#write();
    this.#closed = true;
    this.#transport.end();
  }

  /** Drops what is pending and closes the transport. */
  abort(): void {
    if (this.#closed) return;
    this.drop();
    this.#transport.destroy();
  }

  /** The transport is gone. */
  drop(): void {
    this.#closed = true;
    this.#segments = [];
    this.#start = this.#at;
    this.pending = 0;
  }

  #write(): void {
    if (this.pending === 0 || this.#closed) return;
    const bytes = this.pending;
    this.pending = 0;
    this.#nextSlabBytes = slabBytesFor(bytes);
    this.#lastDataAt = -1;
    let more: boolean;
    if (this.#segments.length === 0) {
      const only = this.slab.subarray(this.#start, this.#at);
      this.#start = this.#at;
      if (bytes <= IDLE_BYTES) this.#release();
      more = this.#transport.write(only);
    } else {
      this.#closeSegment();
      const segments = this.#segments;
      this.#segments = [];
      more =
        this.#transport.writev !== undefined && segments.length > 1
          ? this.#transport.writev(segments)
          : this.#transport.write(segments.length === 1 ? segments[0]! : Buffer.concat(segments, bytes));
    }
    if (!more) this.blocked = true;
  }

  #release(): void {
    this.slab = EMPTY;
    this.#start = 0;
    this.#at = 0;
  }

  #closeSegment(): void {
    this.#lastDataAt = -1;
    if (this.#at === this.#start) return;
    this.#segments.push(this.slab.subarray(this.#start, this.#at));
    this.#start = this.#at;
  }

  #nextSlab(bytes: number): void {
    this.#closeSegment();
    this.slab = Buffer.allocUnsafe(Math.max(bytes, this.#nextSlabBytes));
    this.#nextSlabBytes = Math.min(this.#nextSlabBytes * 2, MAX_SLAB_BYTES);
    this.#start = 0;
    this.#at = 0;
  }
}

/** Idle connections keep little; busy ones get a buffer that lasts for several turns. */
function slabBytesFor(bytes: number): number {
  let size = MIN_SLAB_BYTES;
  while (size < bytes * 4 && size < MAX_SLAB_BYTES) size *= 2;
  return size;
}
