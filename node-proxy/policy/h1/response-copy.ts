/**
 * A response on its way from the application to the client: as it came where nothing has to be changed, in one
 * write where it is small. Knows nothing of attempts: who owns it says whether a response is wanted.
 */

import {
  canPassAsIs,
  forwardResponse,
  HAS_RESERVED,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from '../../http1/index.ts';
import type { HeaderEdits } from '../view.ts';
import { owned, type Wire } from '../wire/wire.ts';
import type { H1Upstream } from './upstream-connection.ts';

/** Text and body that leave as one. */
const JOINED_BYTES = 16 * 1024;

export interface CopyOwner {
  /** Of the request. */
  readonly requestHead: RequestHead;
  /** Another request may follow on the client's connection. */
  readonly persistent: boolean;
  readonly responseEdits: HeaderEdits | undefined;
  /** @param marked `l5d-retryable: true`. @returns false when the response is not to be passed on. */
  wanted(head: ResponseHead, marked: boolean): boolean;
  /** Not wanted: what has come of it lies in chunk[at…). */
  unwanted(connection: H1Upstream, chunk: Buffer, at: number): void;
  /** 101: the rest of the chunk is not HTTP any more. */
  switched(connection: H1Upstream, chunk: Buffer, at: number): void;
  /** @param clean nothing came after the response. */
  finished(connection: H1Upstream, clean: boolean): void;
}

export class ResponseCopy {
  /** Bytes of the body so far, framing included. */
  bytes = 0;
  readonly #client: Wire;
  readonly #owner: CopyOwner;
  #inBody = false;
  #paused = false;

  constructor(client: Wire, owner: CopyOwner) {
    this.#client = client;
    this.#owner = owner;
  }

  begin(): void {
    this.bytes = 0;
    this.#inBody = false;
    this.#paused = false;
  }

  /** @throws Http1Error for what is no response. */
  data(connection: H1Upstream, chunk: Buffer): void {
    if (this.#inBody) this.#body(connection, chunk, 0);
    else this.#head(connection, chunk);
  }

  /** Bytes that are not HTTP. */
  raw(connection: H1Upstream, chunk: Buffer, from: number, until: number): void {
    if (until === from) return;
    this.bytes += until - from;
    if (!this.#client.write(owned(connection.wire, chunk.subarray(from, until)))) this.#pause(connection);
  }

  /** The client takes bytes again. */
  drained(connection: H1Upstream | undefined): void {
    if (!this.#paused) return;
    this.#paused = false;
    connection?.wire.resume();
  }

  #head(connection: H1Upstream, chunk: Buffer): void {
    const { parser } = connection;
    const owner = this.#owner;
    for (let start = 0; start < chunk.length; ) {
      const at = parser.readHead(chunk, start);
      if (at < 0) return;
      const { head } = parser;
      if (head.status === 101) return owner.switched(connection, chunk, at);
      if (head.status >= 200) {
        const marked = head.has(HAS_RESERVED) && head.header('l5d-retryable') === 'true';
        if (owner.wanted(head, marked)) this.#first(connection, chunk, start, at);
        else owner.unwanted(connection, chunk, at);
        return;
      }
      // Only clients of HTTP/1.1 know what an interim response is (RFC 9110 §15.2).
      if (owner.requestHead.minor === 1) this.#client.writeText(forwardResponse(head, undefined, ''));
      parser.next();
      start = at;
    }
  }

  /** The head, and what came with it of the body. */
  #first(connection: H1Upstream, chunk: Buffer, start: number, at: number): void {
    const { head } = connection.parser;
    const { requestHead, persistent, responseEdits } = this.#owner;
    this.#inBody = true;
    const asIs =
      requestHead.minor === 1 &&
      persistent &&
      responseEdits === undefined &&
      head.framing !== UNTIL_CLOSE &&
      canPassAsIs(head);
    // A head that came in pieces is not in this chunk from its beginning.
    const whole = asIs && at - start === head.text.length;
    if (whole && chunk.length - start <= JOINED_BYTES) {
      const { parser } = connection;
      const end = parser.readBody(chunk, at);
      this.bytes += end - at;
      if (!this.#client.writeText(chunk.toString('latin1', start, end))) this.#pause(connection);
      if (parser.done) this.#done(connection, end === chunk.length);
      return;
    }
    this.#client.cork();
    this.#client.writeText(asIs ? head.text : this.#changed(head));
    // May end the exchange; the client's wire stays.
    this.#body(connection, chunk, at);
    this.#client.uncork();
  }

  #changed(head: ResponseHead): string {
    const { requestHead, persistent, responseEdits } = this.#owner;
    const close = !persistent || head.framing === UNTIL_CLOSE;
    const own = close ? 'connection: close\r\n' : requestHead.minor === 1 ? '' : 'connection: keep-alive\r\n';
    return forwardResponse(head, responseEdits, own);
  }

  #body(connection: H1Upstream, chunk: Buffer, at: number): void {
    const { parser } = connection;
    const end = parser.readBody(chunk, at);
    this.raw(connection, chunk, at, end);
    if (parser.done) this.#done(connection, end === chunk.length);
  }

  #done(connection: H1Upstream, clean: boolean): void {
    // A connection that goes back to the others must not stay paused.
    this.drained(connection);
    this.#owner.finished(connection, clean);
  }

  #pause(connection: H1Upstream): void {
    if (this.#paused) return;
    this.#paused = true;
    connection.wire.pause();
  }
}
