/**
 * A response on its way from the application's stream to the client's. Knows nothing of attempts: who owns it says
 * whether a response is wanted.
 */

import type { H2Stream, Header, ResetBy, StreamEvents } from '../../http2/index.ts';
import type { HeaderEdits } from '../view.ts';
import type { Wire } from '../wire/wire.ts';
import { forwardedResponse, forwardedTrailers } from './head/header-lists.ts';
import { lasting } from './transport.ts';

export interface ResponseOwner {
  readonly grpc: boolean;
  readonly responseEdits: HeaderEdits | undefined;
  /** Something came. */
  moved(): void;
  /**
   * The response's head.
   * @param grpcStatus -1: not said yet. @param marked `l5d-retryable: true`.
   * @returns false when it is not to be passed on; then `unwanted` follows.
   */
  wanted(status: number, grpcStatus: number, marked: boolean): boolean;
  unwanted(): void;
  /** The status of gRPC came after the body. */
  trailed(grpcStatus: number): void;
  /** All of it has been given to the client's stream. @param sent no event tells when it has left. */
  finished(sent: boolean): void;
  /** The request has left its stream to the application. */
  requestSent(): void;
  /** The application takes bytes of the request again. */
  requestDrained(): void;
  broken(code: number, by: ResetBy): void;
  /** What came before the stream broke has gone to the client. */
  brokenOff(code: number): void;
}

export class H2Response implements StreamEvents {
  /** Bytes of the body so far. */
  bytes = 0;
  readonly #client: H2Stream;
  readonly #owner: ResponseOwner;
  #upstream: H2Stream | undefined;
  #wire: Wire | undefined;
  #inBody = false;
  #trailers: readonly Header[] | undefined;
  #ended = false;
  #unwanted = false;
  /** Bytes whose credit is held back: while there are any, the client's stream has not sent all that it was given. */
  #owed = 0;
  /** What the client's stream is reset with after that. */
  #breakCode: number | undefined;

  constructor(client: H2Stream, owner: ResponseOwner) {
    this.#client = client;
    this.#owner = owner;
  }

  /** The client is slower than the application. */
  get behind(): boolean {
    return this.#owed > 0;
  }

  /** The stream of an attempt, which has this as its events. */
  attach(upstream: H2Stream, wire: Wire): void {
    this.#upstream = upstream;
    this.#wire = wire;
    this.#unwanted = false;
    this.#owed = 0;
  }

  /** What its stream still says is not heard. */
  detach(): void {
    this.#upstream = undefined;
  }

  /** The client takes bytes again. */
  drained(): void {
    if (this.#owed === 0) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.#upstream?.consumed(bytes);
    if (this.#breakCode !== undefined) this.#owner.brokenOff(this.#breakCode);
  }

  /** No more comes. The client gets what has come, and only then sees that it breaks off, as it would without us. */
  breakOff(code: number): void {
    if (this.#owed === 0) return this.#owner.brokenOff(code);
    this.#breakCode = code;
  }

  onHeaders(headers: readonly Header[], endStream: boolean): void {
    if (this.#upstream === undefined) return;
    const owner = this.#owner;
    owner.moved();
    if (this.#inBody) {
      if (owner.grpc) owner.trailed(grpcStatusIn(headers));
      const fields = forwardedTrailers(headers, owner.grpc);
      if (fields.length > 0) this.#trailers = fields;
      return;
    }
    // The codec has seen to it that it comes first, and has three digits.
    const status = Number((headers[0] as Header)[1]);
    if (status < 200) return this.#client.respond(headers);
    const grpcStatus = owner.grpc ? grpcStatusIn(headers) : -1;
    if (!owner.wanted(status, grpcStatus, isMarked(headers))) {
      this.#unwanted = true;
      // Its end comes with it: no need to reset a stream that closes by itself.
      if (!endStream) owner.unwanted();
      return;
    }
    this.#inBody = true;
    this.#ended = endStream;
    this.#client.respond(forwardedResponse(headers, owner.responseEdits), endStream);
  }

  onData(chunk: Buffer): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    const { length } = chunk;
    this.bytes += length;
    this.#owner.moved();
    if (!this.#client.write(lasting(this.#wire as Wire, chunk))) {
      this.#owed += length;
      return;
    }
    upstream.consumed(length + this.#owed);
    this.#owed = 0;
  }

  onEnd(): void {
    if (this.#upstream === undefined) return;
    if (this.#unwanted) return this.#owner.unwanted();
    // Its window is nobody's concern any more.
    this.drained();
    if (this.#ended) return this.#owner.finished(true);
    if (this.#trailers !== undefined) this.#client.trailers(this.#trailers);
    else this.#client.end();
    this.#owner.finished(false);
  }

  onSent(): void {
    if (this.#upstream !== undefined) this.#owner.requestSent();
  }

  onReset(code: number, by: ResetBy): void {
    if (this.#upstream !== undefined) this.#owner.broken(code, by);
  }

  onDrain(): void {
    if (this.#upstream === undefined) return;
    this.#owner.moved();
    this.#owner.requestDrained();
  }
}

/** @returns -1 when there is none; UNKNOWN for what is no number. */
function grpcStatusIn(headers: readonly Header[]): number {
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i] as Header;
    if (field[0] !== 'grpc-status') continue;
    if (field[1] === '0') return 0;
    return /^\d{1,9}$/.test(field[1]) ? Number(field[1]) : UNKNOWN;
  }
  return -1;
}

function isMarked(headers: readonly Header[]): boolean {
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i] as Header;
    if (field[0] === 'l5d-retryable') return field[1] === 'true';
  }
  return false;
}

const UNKNOWN = 2;
