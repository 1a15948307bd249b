/** Frames to bytes (RFC 9113 §4.1, §6). Each function writes at `at` and returns the offset behind; there must be room. */

import {
  FLAG_ACK,
  FRAME_HEADER_BYTES,
  GOAWAY,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from '../constants.ts';

/** RST_STREAM and WINDOW_UPDATE. */
export const SHORT_FRAME_BYTES = FRAME_HEADER_BYTES + 4;
/** PING and a GOAWAY without debug data. */
export const PING_FRAME_BYTES = FRAME_HEADER_BYTES + 8;

export function putFrameHeader(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  return putUint32(into, at + 5, streamId);
}

export function putUint32(into: Buffer, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

export function putReset(into: Buffer, at: number, streamId: number, code: number): number {
  return putUint32(into, putFrameHeader(into, at, 4, RST_STREAM, 0, streamId), code);
}

export function putWindowUpdate(into: Buffer, at: number, streamId: number, bytes: number): number {
  return putUint32(into, putFrameHeader(into, at, 4, WINDOW_UPDATE, 0, streamId), bytes);
}

export function putPing(into: Buffer, at: number, ack: boolean, high: number, low: number): number {
  const payload = putFrameHeader(into, at, 8, PING, ack ? FLAG_ACK : 0, 0);
  return putUint32(into, putUint32(into, payload, high), low);
}

export function putSettingsAck(into: Buffer, at: number): number {
  return putFrameHeader(into, at, 0, SETTINGS, FLAG_ACK, 0);
}

export function putGoaway(into: Buffer, at: number, lastStreamId: number, code: number): number {
  return putUint32(into, putUint32(into, putFrameHeader(into, at, 8, GOAWAY, 0, 0), lastStreamId), code);
}
