/** Requests as they come from a client. */

import { RequestHead } from './head/message-head.ts';
import { finishRequest } from './head/message-rules.ts';
import { readRequestLine } from './head/request-line.ts';
import type { Http1Limits } from './limits.ts';
import { MessageParser } from './message-parser.ts';

export class RequestParser extends MessageParser<RequestHead> {
  constructor(limits?: Partial<Http1Limits>) {
    super(new RequestHead(), limits);
  }

  protected override readStartLine(bytes: Buffer, base: number, end: number): number {
    return readRequestLine(this.head, this.limits, bytes, base, end);
  }

  protected override finish(bytes: Buffer, base: number, end: number): void {
    finishRequest(this.head, bytes, base, end);
  }
}
