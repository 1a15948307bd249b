/** Everything but DATA on its way out: written to the output at once, in the order of the calls. */

import type { EncodedHeaders } from '../api.ts';
import {
  CONTINUATION,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER_BYTES,
  HEADERS,
  MIN_MAX_FRAME_BYTES,
  PREFACE,
  SETTINGS,
} from '../constants.ts';
import {
  PING_FRAME_BYTES,
  putFrameHeader,
  putGoaway,
  putPing,
  putReset,
  putSettingsAck,
  putWindowUpdate,
  SHORT_FRAME_BYTES,
} from '../frame/writer.ts';
import { encodedBound, encodeHeadersInto } from '../hpack/encoder.ts';
import type { Header } from '../hpack/header.ts';
import type { Output } from './output.ts';

export class Control {
  readonly #output: Output;
  /** SETTINGS_MAX_FRAME_SIZE of the peer. */
  peerMaxFrame = MIN_MAX_FRAME_BYTES;
  /** The peer lowered HEADER_TABLE_SIZE: our next block has to say that we follow (RFC 7541 §4.2). */
  tableUpdateDue = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** @param preface true on a client. @param windowIncrement added to the connection's window of 65,535. */
  opening(preface: boolean, settings: Buffer, windowIncrement: number): void {
    const output = this.#output;
    let at = output.reserve(PREFACE.length + FRAME_HEADER_BYTES + settings.length + SHORT_FRAME_BYTES);
    if (preface) at += PREFACE.copy(output.slab, at);
    at = putFrameHeader(output.slab, at, settings.length, SETTINGS, 0, 0);
    at += settings.copy(output.slab, at);
    if (windowIncrement > 0) at = putWindowUpdate(output.slab, at, 0, windowIncrement);
    output.wrote(at);
  }

  /** The fields must have been checked. */
  headers(streamId: number, headers: readonly Header[] | EncodedHeaders, endStream: boolean): void {
    const encoded = 'bytes' in headers ? headers.bytes : undefined;
    const bound = 1 + (encoded?.length ?? encodedBound(headers as readonly Header[]));
    const flags = endStream ? FLAG_END_STREAM : 0;
    const output = this.#output;
    // What may not fit in one frame takes the slow way, through a buffer of its own.
    if (bound > this.peerMaxFrame) {
      const block = Buffer.allocUnsafe(bound);
      this.#splitBlock(streamId, flags, block.subarray(0, this.#encode(headers, encoded, block, 0)));
      return;
    }
    const at = output.reserve(FRAME_HEADER_BYTES + bound);
    const start = at + FRAME_HEADER_BYTES;
    const end = this.#encode(headers, encoded, output.slab, start);
    putFrameHeader(output.slab, at, end - start, HEADERS, flags | FLAG_END_HEADERS, streamId);
    output.wrote(end);
  }

  reset(streamId: number, code: number): void {
    const output = this.#output;
    const at = output.reserve(SHORT_FRAME_BYTES);
    output.wrote(putReset(output.slab, at, streamId, code));
  }

  windowUpdate(streamId: number, bytes: number): void {
    const output = this.#output;
    const at = output.reserve(SHORT_FRAME_BYTES);
    output.wrote(putWindowUpdate(output.slab, at, streamId, bytes));
  }

  settingsAck(): void {
    const output = this.#output;
    const at = output.reserve(FRAME_HEADER_BYTES);
    output.wrote(putSettingsAck(output.slab, at));
  }

  ping(ack: boolean, high: number, low: number): void {
    const output = this.#output;
    const at = output.reserve(PING_FRAME_BYTES);
    output.wrote(putPing(output.slab, at, ack, high, low));
  }

  goaway(lastStreamId: number, code: number): void {
    const output = this.#output;
    const at = output.reserve(PING_FRAME_BYTES);
    output.wrote(putGoaway(output.slab, at, lastStreamId, code));
  }

  #encode(
    headers: readonly Header[] | EncodedHeaders,
    encoded: Buffer | undefined,
    into: Buffer,
    start: number,
  ): number {
    let at = start;
    if (this.tableUpdateDue) {
      // We use no table, so its size may as well be 0 for good.
      into[at++] = 0x20;
      this.tableUpdateDue = false;
    }
    if (encoded !== undefined) return at + encoded.copy(into, at);
    return encodeHeadersInto(headers as readonly Header[], into, at);
  }

  #splitBlock(streamId: number, flags: number, block: Buffer): void {
    const output = this.#output;
    const most = this.peerMaxFrame;
    for (let from = 0; from < block.length || from === 0; from += most) {
      const to = Math.min(block.length, from + most);
      const at = output.reserve(FRAME_HEADER_BYTES + to - from);
      const type = from === 0 ? HEADERS : CONTINUATION;
      const frameFlags = (from === 0 ? flags : 0) | (to === block.length ? FLAG_END_HEADERS : 0);
      const payload = putFrameHeader(output.slab, at, to - from, type, frameFlags, streamId);
      output.wrote(payload + block.copy(output.slab, payload, from, to));
    }
  }
}
