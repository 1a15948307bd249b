/**
 * One stream: its state, its share of flow control both ways, and its user's events.
 *
 *              request() or peer's HEADERS
 *                        │
 *                        ▼
 *        end() sent ┌── OPEN ──┐ peer's END_STREAM
 *                   ▼          ▼
 *          LOCAL_ENDED        REMOTE_ENDED          reset(), RST_STREAM, GOAWAY below our id, a broken
 *                   │          │                    rule, or the connection's end, from any state but ENDED
 *  peer's END_STREAM└─► ENDED ◄┘ end() sent                        └─► RESET
 *
 * ENDED and RESET are closed: the connection has forgotten the stream. Only credit for bytes that the user
 * still holds is accepted from then on, so that the connection's window never leaks.
 */

import { InvariantError } from '#base/errors.ts';
import type { EncodedHeaders, H2Stream, ResetBy, StreamEvents } from './api.ts';
import type { Header } from './hpack/header.ts';
import type { SendQueue } from './send/send-queue.ts';
import type { Outgoing, Sender } from './send/sender.ts';
import { ReceiveWindow } from './window.ts';

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly sender: Sender;
  writeHeaders(streamId: number, headers: readonly Header[] | EncodedHeaders, endStream: boolean): void;
  writeReset(streamId: number, code: number): void;
  writeWindowUpdate(streamId: number, bytes: number): void;
  /** Bytes of DATA that nobody holds any more. */
  creditConnection(bytes: number): void;
  /** The stream is closed: forget it. */
  closed(stream: Stream): void;
}

const OPEN = 0;
const LOCAL_ENDED = 1;
const REMOTE_ENDED = 2;
const ENDED = LOCAL_ENDED | REMOTE_ENDED;
const RESET = 4;

/** What the peer's next HEADERS are: the response (after any 1xx), or trailers; a tunnel may have none. */
export type Awaits = 'response' | 'trailers' | 'nothing';

export class Stream implements H2Stream, Outgoing {
  readonly id: number;
  events: StreamEvents;
  readonly #owner: StreamOwner;
  #state = OPEN;

  sendWindow: number;
  queue: SendQueue | undefined = undefined;
  wantsDrain = false;
  after: 'nothing' | 'end' | 'trailers' = 'nothing';
  #trailers: readonly Header[] = [];

  readonly #receive: ReceiveWindow;
  /** Delivered and not yet consumed. */
  #held = 0;

  /** The request was CONNECT, or HEAD: what that means for the response is decided when it comes. */
  readonly method: 'CONNECT' | 'HEAD' | 'other';
  awaits: Awaits;
  /** Bytes that content-length still promises; -1 when there is none. */
  promised = -1;
  /** Server: a final response was sent. */
  answered = false;

  constructor(
    id: number,
    owner: StreamOwner,
    events: StreamEvents,
    sendWindow: number,
    receiveWindow: number,
    method: 'CONNECT' | 'HEAD' | 'other',
    awaits: Awaits,
  ) {
    this.id = id;
    this.#owner = owner;
    this.events = events;
    this.sendWindow = sendWindow;
    this.#receive = new ReceiveWindow(receiveWindow);
    this.method = method;
    this.awaits = awaits;
  }

  get closed(): boolean {
    return this.#state >= ENDED;
  }

  get remoteEnded(): boolean {
    return this.#state >= REMOTE_ENDED;
  }

  respond(headers: readonly Header[] | EncodedHeaders, endStream = false): void {
    if (this.closed) return;
    this.#checkWritable();
    const list = 'bytes' in headers ? headers.headers : headers;
    this.#owner.writeHeaders(this.id, headers, endStream);
    if (!(list[0]?.[1].startsWith('1') ?? false)) this.answered = true;
    if (endStream) this.#ended(LOCAL_ENDED);
  }

  write(chunk: Buffer): boolean {
    if (this.#state !== OPEN || this.after !== 'nothing') {
      if (this.closed) return false;
      this.#checkWritable();
    }
    return this.#owner.sender.write(this, chunk);
  }

  end(): void {
    if ((this.#state & LOCAL_ENDED) !== 0 || this.closed || this.after !== 'nothing') return;
    this.#owner.sender.end(this);
  }

  trailers(headers: readonly Header[]): void {
    if (this.closed) return;
    this.#checkWritable();
    this.#trailers = headers;
    this.#owner.sender.endWithTrailers(this);
  }

  reset(code: number): void {
    if (this.closed) return;
    this.#owner.writeReset(this.id, code);
    this.terminate(code, 'local');
  }

  consumed(bytes: number): void {
    const given = Math.min(bytes, this.#held);
    if (given <= 0) return;
    this.#held -= given;
    this.#credit(given);
  }

  /** The sender has written the last byte, and END_STREAM unless trailers follow. */
  queueSent(): void {
    if (this.after === 'trailers') this.#owner.writeHeaders(this.id, this.#trailers, true);
    this.#ended(LOCAL_ENDED);
    this.events.onSent?.();
  }

  drain(): void {
    this.events.onDrain();
  }

  /** A DATA frame of `bytes` begins. @returns false when the peer may not send that much. */
  charge(bytes: number): boolean {
    return this.#receive.take(bytes);
  }

  deliver(chunk: Buffer): void {
    this.#held += chunk.length;
    this.events.onData(chunk);
  }

  /** Bytes of a DATA frame that are never delivered: padding. */
  skip(bytes: number): void {
    this.#credit(bytes);
  }

  shrinkReceiveWindow(bytes: number): void {
    const increment = this.#receive.shrink(bytes);
    if (increment > 0 && !this.remoteEnded) this.#owner.writeWindowUpdate(this.id, increment);
  }

  /** The peer has sent END_STREAM. */
  endRemote(): void {
    this.#ended(REMOTE_ENDED);
    this.events.onEnd();
  }

  /** To RESET, without telling the peer. */
  terminate(code: number, by: ResetBy): void {
    if (this.closed) return;
    this.#state = RESET;
    const held = this.#held;
    this.#held = 0;
    this.#owner.sender.forget(this);
    this.#owner.closed(this);
    this.#owner.creditConnection(held);
    this.events.onReset(code, by);
  }

  #credit(bytes: number): void {
    this.#owner.creditConnection(bytes);
    // Nobody needs a window on a stream on which nothing comes any more.
    if (this.#state >= REMOTE_ENDED) return;
    const increment = this.#receive.give(bytes);
    if (increment > 0) this.#owner.writeWindowUpdate(this.id, increment);
  }

  #ended(half: number): void {
    this.#state |= half;
    if (this.#state === ENDED) this.#owner.closed(this);
  }

  #checkWritable(): void {
    if ((this.#state & LOCAL_ENDED) !== 0 || this.after !== 'nothing')
      throw new InvariantError(`stream ${this.id}: sending after its end`);
  }
}
