/**
 * A response on its way from the application to the client: as it came where nothing has to be changed, in one
 * write where it is small. Knows nothing of attempts: who owns it says whether a response is wanted.
 */

import {
  CHUNKED,
  canPassAsIs,
  forwardResponse,
  HAS_RESERVED,
  Http1Error,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from '../../http1/index.ts';
import type { HeaderEdits } from '../view.ts';
import { owned, type Wire, writeTogether } from '../wire/wire.ts';
import type { H1Upstream } from './upstream-connection.ts';

/** Interim responses before the final one. Progress (102) and hints (103) are a few. */
const MAX_INTERIMS = 100;

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
  /** Is it still the connection of this exchange? Writing to a client can show that it has gone. */
  carries(connection: H1Upstream): boolean;
  /** @param clean nothing came after the response. */
  finished(connection: H1Upstream, clean: boolean): void;
}

export class ResponseCopy {
  /** Bytes of the body so far, framing included. */
  bytes = 0;
  /** The client is slower than what was written to it: until {@link ResponseCopy.drained}. */
  behind = false;
  /** The head that was sent promises that the client's connection stays. */
  keeps = false;
  /** The final head has left. */
  sent = false;
  readonly #client: Wire;
  readonly #owner: CopyOwner;
  /** The application's connection waits for the client. */
  #paused = false;
  #interims = 0;
  /** The client can't read chunks: it gets what is in them. */
  #pieces: number[] | undefined;

  constructor(client: Wire, owner: CopyOwner) {
    this.#client = client;
    this.#owner = owner;
  }

  /** The application has said something, though not its answer. */
  get announced(): boolean {
    return this.#interims > 0;
  }

  /** An attempt begins. */
  begin(): void {
    this.bytes = 0;
    this.keeps = false;
    this.sent = false;
    this.#paused = false;
    this.#interims = 0;
    this.#pieces = undefined;
  }

  /** @throws Http1Error for what is no response. */
  data(connection: H1Upstream, chunk: Buffer): void {
    if (this.sent) this.#body(connection, chunk);
    else this.#head(connection, chunk);
  }

  /** Bytes that are not HTTP, or of a body that passes as it is. */
  raw(connection: H1Upstream, chunk: Buffer, from: number, until: number): void {
    if (until === from) return;
    this.bytes += until - from;
    if (!this.#client.write(owned(connection.wire, chunk.subarray(from, until)))) this.#pause(connection);
  }

  /** The client takes bytes again. */
  drained(connection: H1Upstream | undefined): void {
    this.behind = false;
    this.free(connection);
  }

  /** The connection must wait for this client no longer: it may be somebody else's soon. */
  free(connection: H1Upstream | undefined): void {
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
      this.#interim(connection, head);
      if (!owner.carries(connection)) return;
      parser.next();
      start = at;
    }
  }

  /** Only clients of HTTP/1.1 know what an interim response is (RFC 9110 §15.2). */
  #interim(connection: H1Upstream, head: ResponseHead): void {
    this.#interims += 1;
    if (this.#interims > MAX_INTERIMS)
      throw new Http1Error('response', 'bad_interim', `more than ${MAX_INTERIMS} interim responses`);
    if (this.#owner.requestHead.minor === 0) return;
    if (!this.#client.writeText(forwardResponse(head, undefined, ''))) this.#pause(connection);
  }

  /** The head, and what came with it of the body. */
  #first(connection: H1Upstream, chunk: Buffer, start: number, at: number): void {
    const { parser } = connection;
    const { head } = parser;
    const { requestHead, persistent, responseEdits } = this.#owner;
    if (head.framing === CHUNKED && requestHead.minor === 0) this.#pieces = [];
    this.keeps = persistent && head.framing !== UNTIL_CLOSE && this.#pieces === undefined;
    const asIs = requestHead.minor === 1 && this.keeps && responseEdits === undefined && canPassAsIs(head);
    // What breaks a rule here breaks it before anything was said.
    const end = parser.readBody(chunk, at, this.#pieces);
    this.sent = true;
    // A head that came in pieces is not in this chunk from its beginning.
    const whole = asIs && at - start === head.text.length;
    const text = whole ? '' : asIs ? head.text : this.#changed(head);
    if (this.#pieces === undefined) {
      this.bytes += end - at;
      const taken = writeTogether(this.#client, text, chunk, whole ? start : at, end);
      if (!taken) this.#pause(connection);
    } else {
      this.#client.cork();
      if (!this.#client.writeText(text)) this.#pause(connection);
      this.#pass(connection, chunk, at, end);
      this.#client.uncork();
    }
    if (parser.done) this.#done(connection, end === chunk.length);
  }

  #changed(head: ResponseHead): string {
    const { requestHead, responseEdits } = this.#owner;
    const own = !this.keeps
      ? 'connection: close\r\n'
      : requestHead.minor === 1
        ? ''
        : 'connection: keep-alive\r\n';
    return forwardResponse(head, responseEdits, own, this.#pieces !== undefined);
  }

  #body(connection: H1Upstream, chunk: Buffer): void {
    const { parser } = connection;
    const end = parser.readBody(chunk, 0, this.#pieces);
    this.#pass(connection, chunk, 0, end);
    if (parser.done) this.#done(connection, end === chunk.length);
  }

  /** What was read of the body: all of it, or only what is in its chunks. */
  #pass(connection: H1Upstream, chunk: Buffer, from: number, until: number): void {
    const pieces = this.#pieces;
    if (pieces === undefined) return this.raw(connection, chunk, from, until);
    for (let i = 0; i < pieces.length; i += 2)
      this.raw(connection, chunk, pieces[i] as number, pieces[i + 1] as number);
    pieces.length = 0;
  }

  #done(connection: H1Upstream, clean: boolean): void {
    if (!this.#owner.carries(connection)) return;
    this.free(connection);
    this.#owner.finished(connection, clean);
  }

  #pause(connection: H1Upstream): void {
    this.behind = true;
    if (this.#paused) return;
    this.#paused = true;
    connection.wire.pause();
  }
}
