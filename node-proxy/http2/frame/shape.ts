/**
 * What each frame type must look like (RFC 9113 §6): its length, and whether it belongs to a stream. Checked
 * before any of the payload is kept, so that a wrong frame costs nothing.
 */

import {
  CONTINUATION,
  FLAG_ACK,
  GOAWAY,
  H2Code,
  HEADERS,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from '../constants.ts';
import { Violation } from '../error.ts';

/** Of a GOAWAY only the two numbers and some of the debug data are of interest. */
const GOAWAY_KEPT_BYTES = 8 + 256;
/** Six RFCs define some ten settings; nobody needs more than this. */
const MAX_SETTINGS_BYTES = 6 * 64;

/**
 * Checks the header of a frame other than DATA.
 * @param maxHeaderBytes bound of one header block.
 * @returns how many bytes of the payload are wanted; the rest is skipped.
 */
export function wantedBytes(
  type: number,
  length: number,
  flags: number,
  streamId: number,
  maxHeaderBytes: number,
): number {
  switch (type) {
    case HEADERS:
    case CONTINUATION:
      if (streamId === 0) throw wrongStream(type, streamId);
      if (length > maxHeaderBytes)
        throw new Violation(H2Code.ENHANCE_YOUR_CALM, `a header block of ${length} bytes or more`);
      return length;
    case RST_STREAM:
      if (length !== 4) throw wrongSize(type, length);
      if (streamId === 0) throw wrongStream(type, streamId);
      return length;
    case WINDOW_UPDATE:
      if (length !== 4) throw wrongSize(type, length);
      return length;
    case SETTINGS:
      if (streamId !== 0) throw wrongStream(type, streamId);
      if (length % 6 !== 0 || ((flags & FLAG_ACK) !== 0 && length !== 0)) throw wrongSize(type, length);
      if (length > MAX_SETTINGS_BYTES) throw new Violation(H2Code.ENHANCE_YOUR_CALM, 'too many settings');
      return length;
    case PING:
      if (streamId !== 0) throw wrongStream(type, streamId);
      if (length !== 8) throw wrongSize(type, length);
      return length;
    case GOAWAY:
      if (streamId !== 0) throw wrongStream(type, streamId);
      if (length < 8) throw wrongSize(type, length);
      return Math.min(length, GOAWAY_KEPT_BYTES);
    case PRIORITY:
      // Ignored even if its length is wrong, which would be the stream's error only (§6.3).
      if (streamId === 0) throw wrongStream(type, streamId);
      return 0;
    case PUSH_PROMISE:
      throw new Violation(H2Code.PROTOCOL_ERROR, 'PUSH_PROMISE, though push is off');
    default:
      // Unknown types are ignored (§5.5).
      return 0;
  }
}

export function wrongSize(type: number, length: number): Violation {
  return new Violation(H2Code.FRAME_SIZE_ERROR, `frame type ${type} of ${length} bytes`);
}

export function wrongStream(type: number, streamId: number): Violation {
  return new Violation(H2Code.PROTOCOL_ERROR, `frame type ${type} on stream ${streamId}`);
}
