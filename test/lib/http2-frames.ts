/** Builds HTTP/2 frames by hand, right or wrong, and takes what our side wrote apart again. */

import { encodeHeaders, type Header } from '../../node-proxy/http2/index.ts';

export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface Frame {
  type: number;
  flags: number;
  streamId: number;
  payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, i * 4);
  });
  return bytes;
}

export function settings(pairs: Record<number, number> = {}): Buffer {
  const entries = Object.entries(pairs);
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([id, value], i) => {
    payload.writeUInt16BE(Number(id), i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(TYPE.SETTINGS, 0, 0, payload);
}

export const settingsAck = (): Buffer => frame(TYPE.SETTINGS, FLAG.ACK, 0);
export const ping = (flags = 0): Buffer => frame(TYPE.PING, flags, 0, Buffer.from('pingping'));
export const reset = (id: number, code: number): Buffer => frame(TYPE.RST_STREAM, 0, id, numbers(code));
export const goaway = (last: number, code: number): Buffer => frame(TYPE.GOAWAY, 0, 0, numbers(last, code));
export const windowUpdate = (id: number, bytes: number): Buffer =>
  frame(TYPE.WINDOW_UPDATE, 0, id, numbers(bytes));
export const data = (id: number, bytes: string | Buffer, flags = 0): Buffer =>
  frame(TYPE.DATA, flags, id, Buffer.from(bytes));

/** Encodes without the checks that our own encoder makes. */
export function block(fields: readonly Header[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    try {
      parts.push(encodeHeaders([[name, value]]).bytes);
    } catch {
      parts.push(Buffer.from([0]), text(name), text(value));
    }
  }
  return Buffer.concat(parts);
}

/** A plain HPACK string below 127 octets. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
}

export function headers(id: number, fields: readonly Header[], flags: number = FLAG.END_HEADERS): Buffer {
  return frame(TYPE.HEADERS, flags, id, block(fields));
}

/** What a client says first. */
export const hello = (pairs: Record<number, number> = {}): Buffer =>
  Buffer.concat([PREFACE, settings(pairs)]);

export function parseFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  let at = bytes.subarray(0, PREFACE.length).equals(PREFACE) ? PREFACE.length : 0;
  while (at < bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      streamId: bytes.readUInt32BE(at + 5),
      payload,
    });
    at += 9 + length;
  }
  return frames;
}
