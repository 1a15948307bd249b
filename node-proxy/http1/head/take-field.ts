/** What a known field says is noted while its bytes are at hand; the rules over several fields come after. */

import { sameBytes } from '../bytes.ts';
import { Http1Error } from '../error.ts';
import { checkHost } from './authority.ts';
import { OTHER_OPTION, readConnection, readUpgrade } from './connection-options.ts';
import {
  AMBIGUOUS,
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  HOP,
  HOST,
  PLAIN,
  RESERVED,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
} from './known-fields.ts';
import { HAS_CONNECTION, HAS_EXPECT, HAS_HOP, HAS_RESERVED, type MessageHead } from './message-head.ts';

/** Digits that are a safe integer whatever they are. */
const LENGTH_DIGITS = 15;

/** @returns the kind under which the field is kept. */
export function takeField(
  head: MessageHead,
  kind: number,
  bytes: Buffer,
  base: number,
  from: number,
  to: number,
): number {
  switch (kind) {
    case HOST:
      return takeHost(head, bytes, base, from, to);
    case CONTENT_LENGTH:
      if (head.contentLength >= 0)
        throw new Http1Error(head.side, 'duplicate_content_length', 'two Content-Length fields');
      head.contentLength = contentLength(head, bytes, from, to);
      return kind;
    case TRANSFER_ENCODING:
      if (head.chunked)
        throw new Http1Error(head.side, 'duplicate_transfer_encoding', 'two Transfer-Encoding fields');
      if (!sameBytes(bytes, from, to, 'chunked'))
        throw new Http1Error(
          head.side,
          'unsupported_transfer_encoding',
          'Transfer-Encoding other than chunked',
        );
      head.chunked = true;
      return kind;
    case CONNECTION:
      readConnection(head, bytes, from, to);
      head.flags |= (head.options & OTHER_OPTION) === 0 ? HAS_CONNECTION : HAS_CONNECTION | HAS_HOP;
      return kind;
    case UPGRADE:
      readUpgrade(head, bytes, from, to);
      return kind;
    case TE:
      // Trailers pass through us, so that this holds for the next hop too (RFC 9110 §10.1.4).
      if (sameBytes(bytes, from, to, 'trailers')) return PLAIN;
      head.flags |= HAS_HOP;
      return HOP;
    case EXPECT:
      head.flags |= HAS_EXPECT;
      return kind;
    case RESERVED:
      head.flags |= HAS_RESERVED;
      return kind;
    case AMBIGUOUS:
      throw new Http1Error(head.side, 'ambiguous_name', 'a framing field written with an underscore');
    default:
      return kind;
  }
}

function takeHost(head: MessageHead, bytes: Buffer, base: number, from: number, to: number): number {
  // In a response the field has no meaning.
  if (head.side === 'response') return PLAIN;
  if (head.hostStart >= 0) throw new Http1Error(head.side, 'duplicate_host', 'two Host fields');
  if (from === to) throw new Http1Error(head.side, 'bad_host', 'Host is empty');
  if (!checkHost(bytes, from, to)) throw new Http1Error(head.side, 'bad_host', 'Host is not a host and port');
  head.hostStart = from - base;
  head.hostEnd = to - base;
  return HOST;
}

function contentLength(head: MessageHead, bytes: Buffer, from: number, to: number): number {
  let length = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9)
      throw new Http1Error(head.side, 'bad_content_length', 'Content-Length is not a number');
    length = length * 10 + digit;
  }
  if (from === to || to - from > LENGTH_DIGITS)
    throw new Http1Error(head.side, 'bad_content_length', 'Content-Length is empty or has too many digits');
  return length;
}
