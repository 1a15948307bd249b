/**
 * The chunked coding (RFC 9112 §7.1), checked as it passes and forwarded as it is, so that there must be only one
 * way to read it: sizes are bare hexadecimal digits, lines end with CRLF, extensions are refused (nobody needs
 * them, and readers differ in where they end).
 */

import { CR, HEX, HT, LF, SP } from '../bytes.ts';
import { Http1Error, type Http1Reason, type MessageSide } from '../error.ts';
import { CHUNK_DIGITS, type Http1Limits } from '../limits.ts';
import { Trailers } from './trailers.ts';

const SIZE = 0;
const SIZE_LF = 1;
const DATA = 2;
const DATA_CR = 3;
const DATA_LF = 4;
const TRAILERS = 5;
const DONE = 6;

const SEMICOLON = 0x3b;

export class ChunkedBody {
  done = false;
  payloadBytes = 0;
  readonly #side: MessageSide;
  readonly #trailers: Trailers;
  #state = SIZE;
  /** Of the chunk: what was read of its size, then what is still to come. */
  #size = 0;
  #digits = 0;

  constructor(side: MessageSide, limits: Readonly<Http1Limits>) {
    this.#side = side;
    this.#trailers = new Trailers(side, limits);
  }

  /** Begins a new body. */
  start(): void {
    this.done = false;
    this.payloadBytes = 0;
    this.#state = SIZE;
    this.#size = 0;
    this.#digits = 0;
    this.#trailers.start();
  }

  /** @returns where the body ends, or `chunk.length`. @param pieces is given start and end of each run of payload. */
  read(chunk: Buffer, from: number, pieces: number[] | undefined): number {
    const end = chunk.length;
    let at = from;
    while (at < end && this.#state !== DONE) {
      switch (this.#state) {
        case SIZE:
          at = this.#readSize(chunk, at);
          break;
        case SIZE_LF:
          this.#expect(chunk[at]!, LF, 'bad_chunk_size', 'the line of a chunk size does not end with CRLF');
          at += 1;
          this.#state = this.#size === 0 ? TRAILERS : DATA;
          break;
        case DATA: {
          const taken = Math.min(this.#size, end - at);
          if (pieces !== undefined) pieces.push(at, at + taken);
          this.payloadBytes += taken;
          this.#size -= taken;
          at += taken;
          if (this.#size === 0) this.#state = DATA_CR;
          break;
        }
        case DATA_CR:
          this.#expect(chunk[at]!, CR, 'bad_chunk_end', 'a chunk is longer than its size');
          at += 1;
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          this.#expect(chunk[at]!, LF, 'bad_chunk_end', 'a chunk does not end with CRLF');
          at += 1;
          this.#digits = 0;
          this.#state = SIZE;
          break;
        default:
          at = this.#trailers.read(chunk, at);
          if (this.#trailers.done) this.#state = DONE;
      }
    }
    this.done = this.#state === DONE;
    return at;
  }

  #readSize(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      const digit = HEX[byte]!;
      if (digit === 255) {
        if (this.#digits === 0) throw this.#refuse('bad_chunk_size', 'a chunk without size');
        this.#afterSize(byte);
        return at + 1;
      }
      this.#size = this.#size * 16 + digit;
      this.#digits += 1;
      if (this.#digits > CHUNK_DIGITS || this.#size > Number.MAX_SAFE_INTEGER)
        throw this.#refuse('bad_chunk_size', 'a chunk size out of range');
    }
    return at;
  }

  #afterSize(byte: number): void {
    if (byte === CR) {
      this.#state = SIZE_LF;
      return;
    }
    if (byte === SEMICOLON) throw this.#refuse('chunk_extension', 'a chunk extension');
    const blank = byte === SP || byte === HT;
    throw this.#refuse(
      'bad_chunk_size',
      blank ? 'white space after a chunk size' : 'a chunk size that is no number',
    );
  }

  #expect(byte: number, wanted: number, reason: Http1Reason, message: string): void {
    if (byte !== wanted) throw this.#refuse(reason, message);
  }

  #refuse(reason: Http1Reason, message: string): Http1Error {
    return new Http1Error(this.#side, reason, message);
  }
}
