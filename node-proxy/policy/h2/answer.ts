/** Answers of the proxy itself on a client's stream. */

import { H2Code, type H2Stream, type Header, type StreamEvents } from '../../http2/index.ts';
import type { Redirect } from '../exchange/plan.ts';
import { type DirectReply, type HttpRefusal, replyTo } from '../reply/index.ts';

/** @returns what was answered; the stream is at its end already when `body` is ''. */
export function answerOn(
  stream: H2Stream,
  answer: HttpRefusal | Redirect,
  grpc: boolean,
  method: string,
): DirectReply {
  const reply = replyTo(answer, grpc);
  const body = Buffer.from(reply.body);
  const headers: Header[] = [[':status', String(reply.status)], ...reply.fields];
  if (!grpc) headers.push(['content-length', String(body.length)]);
  if (reply.body === '' || method === 'HEAD') {
    stream.respond(headers, true);
    return { ...reply, body: '' };
  }
  stream.respond(headers);
  stream.write(body);
  stream.end();
  return reply;
}

/** A request that is answered with what is wrong with it, and not read. */
export class RefusedRequest implements StreamEvents {
  readonly #stream: H2Stream;
  #ended: boolean;

  /** @param endStream it has no body. */
  constructor(stream: H2Stream, endStream: boolean) {
    this.#stream = stream;
    this.#ended = endStream;
  }

  answer(refusal: HttpRefusal, grpc: boolean, method: string): void {
    if (answerOn(this.#stream, refusal, grpc, method).body === '') this.onSent();
  }

  onHeaders(): void {}

  onData(chunk: Buffer): void {
    this.#stream.consumed(chunk.length);
  }

  onEnd(): void {
    this.#ended = true;
  }

  onReset(): void {}

  onDrain(): void {}

  onSent(): void {
    if (!this.#ended) this.#stream.reset(H2Code.NO_ERROR);
  }
}
