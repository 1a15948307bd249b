/**
 * Who may send next. A chunk that fits the stream's window, the connection's window and the transport leaves
 * at once. Otherwise it waits in its stream's queue, and the streams take turns frame by frame, so that a
 * bulk transfer delays others by one frame each, never for its whole length.
 *
 * Invariant: a stream is in `#ready` only if its queue is not empty and its window open; in `#dry` only if it
 * waits for `onDrain`, its queue is empty and its window open. Nothing is in `#ready` while both the
 * transport and the connection's window are open.
 */

import { FLAG_END_STREAM, H2Code, MIN_MAX_FRAME_BYTES } from '../constants.ts';
import type { Output } from './output.ts';
import { SendQueue } from './send-queue.ts';

/** What the sender knows of a stream; the fields are the sender's. */
export interface Outgoing {
  readonly id: number;
  /** Bytes the peer takes on this stream; negative after it lowered its initial window (RFC 9113 §6.9.2). */
  sendWindow: number;
  queue: SendQueue | undefined;
  wantsDrain: boolean;
  /** What follows the queue: nothing yet, END_STREAM on the last frame, or trailers. */
  after: 'nothing' | 'end' | 'trailers';
  /** The last byte has left: END_STREAM is set, or trailers have to be written now. */
  queueSent(): void;
  drain(): void;
  reset(code: number): void;
}

/** Frames are not made longer even when the peer takes longer ones, for the sake of the others. */
const MAX_FRAME_BYTES = 65_536;
/** … nor than this while several streams wait. */
const SHARED_FRAME_BYTES = 16_384;
const EMPTY = Buffer.alloc(0);

export class Sender {
  readonly #output: Output;
  readonly #limits: { streamSendBytes: number; connectionSendBytes: number };
  readonly #ready = new Set<Outgoing>();
  readonly #dry = new Set<Outgoing>();
  /** Bytes the peer takes on the connection. */
  window: number;
  #maxFrame = MIN_MAX_FRAME_BYTES;
  #pumping = false;
  /** Bytes in all queues. */
  queued = 0;
  /** DATA frames sent since last asked: the peer may answer each with WINDOW_UPDATEs. */
  framesSent = 0;

  constructor(
    output: Output,
    limits: { streamSendBytes: number; connectionSendBytes: number },
    window: number,
  ) {
    this.#output = output;
    this.#limits = limits;
    this.window = window;
  }

  /** @param bytes SETTINGS_MAX_FRAME_SIZE of the peer. */
  set peerMaxFrame(bytes: number) {
    this.#maxFrame = Math.min(bytes, MAX_FRAME_BYTES);
  }

  /** @returns false when the stream has to wait for its `drain()`. */
  write(stream: Outgoing, chunk: Buffer): boolean {
    const bytes = chunk.length;
    if (bytes === 0) return !stream.wantsDrain;
    const output = this.#output;
    if (
      stream.queue === undefined &&
      !output.blocked &&
      bytes <= stream.sendWindow &&
      bytes <= this.window &&
      bytes <= MAX_FRAME_BYTES
    ) {
      stream.sendWindow -= bytes;
      this.window -= bytes;
      const most = this.#maxFrame;
      for (let at = 0; at < bytes; at += most) {
        this.framesSent += 1;
        output.data(stream.id, 0, chunk, at, Math.min(bytes, at + most));
      }
      if (!output.blocked && stream.sendWindow > 0 && this.window > 0) return true;
      stream.wantsDrain = true;
      if (stream.sendWindow > 0) this.#dry.add(stream);
      return false;
    }
    return this.#enqueue(stream, chunk);
  }

  /** END_STREAM after everything written. */
  end(stream: Outgoing): void {
    if (stream.queue !== undefined) {
      stream.after = 'end';
      return;
    }
    if (!this.#output.endLastData(stream.id)) this.#output.data(stream.id, FLAG_END_STREAM, EMPTY, 0, 0);
    this.#sent(stream);
  }

  /** The same with trailers, which the stream writes when it is told that everything has left. */
  endWithTrailers(stream: Outgoing): void {
    stream.after = 'trailers';
    if (stream.queue === undefined) this.#sent(stream);
  }

  /** The stream is over: what waits is dropped. */
  forget(stream: Outgoing): void {
    stream.wantsDrain = false;
    this.#dry.delete(stream);
    if (stream.queue === undefined) return;
    this.queued -= stream.queue.bytes;
    stream.queue = undefined;
    this.#ready.delete(stream);
  }

  /** Everything has left, and nothing follows: the stream waits for no room any more. */
  #sent(stream: Outgoing): void {
    stream.wantsDrain = false;
    this.#dry.delete(stream);
    stream.queueSent();
  }

  /** The window of the stream has changed. */
  windowChanged(stream: Outgoing): void {
    const set = stream.queue !== undefined ? this.#ready : stream.wantsDrain ? this.#dry : undefined;
    if (stream.sendWindow > 0) set?.add(stream);
    else set?.delete(stream);
  }

  /** Sends what waits and wakes who waits, while transport and connection window are open. */
  pump(): void {
    // Whoever is woken may write; the loop below sees what that left.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#output.blocked && this.window > 0) {
        const stream = first(this.#ready);
        if (stream !== undefined) {
          this.#sendOneFrame(stream);
          continue;
        }
        const dry = first(this.#dry);
        if (dry === undefined) return;
        this.#dry.delete(dry);
        dry.wantsDrain = false;
        dry.drain();
      }
    } finally {
      this.#pumping = false;
    }
  }

  #enqueue(stream: Outgoing, chunk: Buffer): boolean {
    const { streamSendBytes, connectionSendBytes } = this.#limits;
    // Who heeds `false` never gets here with a full queue.
    if ((stream.queue?.bytes ?? 0) >= streamSendBytes || this.queued >= connectionSendBytes) {
      stream.reset(H2Code.INTERNAL_ERROR);
      return false;
    }
    stream.wantsDrain = true;
    this.#dry.delete(stream);
    stream.queue ??= new SendQueue();
    stream.queue.push(chunk);
    this.queued += chunk.length;
    if (stream.sendWindow > 0) {
      this.#ready.add(stream);
      this.pump();
    }
    return !stream.wantsDrain;
  }

  #sendOneFrame(stream: Outgoing): void {
    this.#ready.delete(stream);
    const queue = stream.queue!;
    const fair = this.#ready.size > 0 ? SHARED_FRAME_BYTES : this.#maxFrame;
    const bytes = Math.min(queue.bytes, stream.sendWindow, this.window, fair, this.#maxFrame);
    const last = bytes === queue.bytes;
    stream.sendWindow -= bytes;
    this.window -= bytes;
    this.queued -= bytes;
    this.framesSent += 1;
    this.#output.dataHeader(stream.id, last && stream.after === 'end' ? FLAG_END_STREAM : 0, bytes);
    queue.moveTo(this.#output, bytes);
    if (!last) {
      if (stream.sendWindow > 0) this.#ready.add(stream);
      return;
    }
    stream.queue = undefined;
    if (stream.after !== 'nothing') this.#sent(stream);
    else if (stream.wantsDrain && stream.sendWindow > 0) this.#dry.add(stream);
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
