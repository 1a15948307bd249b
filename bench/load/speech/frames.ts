/**
 * HTTP/2 frames (RFC 9113 §4, §6) as the load generator needs them: its own are written, the peer's are told apart.
 * No HPACK, no states: it talks to proxies that it trusts, and has to cost little.
 */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEAD_BYTES = 9;
export const STREAM_ID_AT = 5;

export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

export const ENABLE_PUSH = 2;
export const INITIAL_WINDOW_SIZE = 4;

/** Payloads of control frames are kept up to this length; they are all shorter, but for a GOAWAY's text. */
const KEPT_BYTES = 256;
const EMPTY = Buffer.alloc(0);

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = EMPTY): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, STREAM_ID_AT);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

export function settings(pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, 6 * i);
    payload.writeUInt32BE(value, 6 * i + 2);
  });
  return frame(SETTINGS, 0, 0, payload);
}

export function windowUpdate(streamId: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(WINDOW_UPDATE, 0, streamId, payload);
}

export interface FrameSink {
  /** A frame is complete. @param payload of control frames, its beginning; empty for DATA and HEADERS. */
  onFrame(type: number, flags: number, streamId: number, length: number, payload: Buffer): void;
}

/** Finds the frames in a connection's bytes, however they are cut. */
export class FrameScanner {
  readonly #sink: FrameSink;
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headBytes = 0;
  readonly #payload = Buffer.alloc(KEPT_BYTES);
  #length = 0;
  #left = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        at += this.#take(chunk, at);
      } else if (this.#headBytes === 0 && chunk.length - at >= FRAME_HEAD_BYTES) {
        this.#begin(chunk, at);
        at += FRAME_HEAD_BYTES;
      } else {
        const taken = chunk.copy(this.#head, this.#headBytes, at);
        this.#headBytes += taken;
        at += taken;
        if (this.#headBytes < FRAME_HEAD_BYTES) return;
        this.#headBytes = 0;
        this.#begin(this.#head, 0);
      }
    }
  }

  #begin(bytes: Buffer, at: number): void {
    this.#left = this.#length = bytes.readUIntBE(at, 3);
    this.#type = bytes[at + 3] ?? 0;
    this.#flags = bytes[at + 4] ?? 0;
    this.#streamId = bytes.readUInt32BE(at + STREAM_ID_AT) & 0x7fffffff;
    if (this.#left === 0) this.#end();
  }

  #take(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at);
    const done = this.#length - this.#left;
    if (this.#type > HEADERS && done < KEPT_BYTES) chunk.copy(this.#payload, done, at, at + taken);
    this.#left -= taken;
    if (this.#left === 0) this.#end();
    return taken;
  }

  #end(): void {
    const kept = this.#type > HEADERS ? this.#payload.subarray(0, Math.min(this.#length, KEPT_BYTES)) : EMPTY;
    this.#sink.onFrame(this.#type, this.#flags, this.#streamId, this.#length, kept);
  }
}
