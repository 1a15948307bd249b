/** Responses as they come from a server, each to a request that is named first. */

import { Http1Error } from './error.ts';
import { ResponseHead } from './head/message-head.ts';
import { finishResponse } from './head/message-rules.ts';
import { readStatusLine } from './head/status-line.ts';
import type { Http1Limits } from './limits.ts';
import { MessageParser } from './message-parser.ts';

export class ResponseParser extends MessageParser<ResponseHead> {
  /** Method of the request that waits for its response; empty: none does. */
  #method = '';
  #offered = '';

  constructor(limits?: Partial<Http1Limits>) {
    super(new ResponseHead(), limits);
  }

  /**
   * A request was sent. @param method decides whether a body follows; @param upgrade what the request's head
   * says, without which a 101 is refused.
   */
  expect(method: string, upgrade = ''): void {
    this.#method = method;
    this.#offered = upgrade;
  }

  /** After an interim response (1xx), the same request still waits. */
  override next(): void {
    if (!this.head.interim) this.#method = '';
    super.next();
  }

  /** @throws Http1Error also when nothing was asked: what comes then would be taken for a later answer. */
  override readHead(chunk: Buffer, at: number): number {
    if (this.#method === '' && at < chunk.length)
      throw new Http1Error('response', 'unsolicited_response', 'bytes that answer no request');
    return super.readHead(chunk, at);
  }

  protected override readStartLine(bytes: Buffer, base: number, end: number): number {
    return readStatusLine(this.head, this.limits, bytes, base, end);
  }

  protected override finish(bytes: Buffer, base: number, end: number): void {
    finishResponse(this.head, bytes, base, end, this.#method, this.#offered);
  }
}
