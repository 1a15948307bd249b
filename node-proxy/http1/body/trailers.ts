/**
 * The trailer section (RFC 9112 §7.1.2), byte by byte as it passes: nothing is kept but the first bytes of a
 * name, enough to tell whether the field may come after the body (RFC 9110 §6.5.1).
 */

import { COLON, CR, HT, LF, TOKEN } from '../bytes.ts';
import { Http1Error, type Http1Reason, type MessageSide } from '../error.ts';
import { mayBeTrailer, TELLING_BYTES } from '../head/known-fields.ts';
import type { Http1Limits } from '../limits.ts';

const LINE = 0;
const NAME = 1;
const VALUE = 2;
const VALUE_LF = 3;
const LAST_LF = 4;

export class Trailers {
  done = false;
  readonly #side: MessageSide;
  readonly #limits: Readonly<Http1Limits>;
  #state = LINE;
  #name = '';
  #bytes = 0;
  #fields = 0;

  constructor(side: MessageSide, limits: Readonly<Http1Limits>) {
    this.#side = side;
    this.#limits = limits;
  }

  start(): void {
    this.done = false;
    this.#state = LINE;
    this.#name = '';
    this.#bytes = 0;
    this.#fields = 0;
  }

  /** @returns where the section ends, or `chunk.length`. */
  read(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && !this.done) {
      this.#bytes += 1;
      if (this.#bytes > this.#limits.trailerBytes)
        throw this.#refuse('trailer_too_large', 'the trailer section is too large');
      this.#take(chunk[at]!);
      at += 1;
    }
    return at;
  }

  #take(byte: number): void {
    switch (this.#state) {
      case LINE:
        if (byte === CR) this.#state = LAST_LF;
        else this.#startName(byte);
        return;
      case NAME:
        if (byte === COLON) this.#endName();
        else this.#addToName(byte);
        return;
      case VALUE:
        if (byte === CR) this.#state = VALUE_LF;
        else if ((byte < 0x20 && byte !== HT) || byte === 0x7f)
          throw this.#refuse('bad_trailer', 'a control character in a trailer');
        return;
      case VALUE_LF:
        if (byte !== LF) throw this.#refuse('bad_trailer', 'CR without LF in a trailer');
        this.#state = LINE;
        return;
      default:
        if (byte !== LF) throw this.#refuse('bad_trailer', 'CR without LF after the trailers');
        this.done = true;
    }
  }

  #startName(byte: number): void {
    this.#fields += 1;
    if (this.#fields > this.#limits.fields) throw this.#refuse('trailer_too_large', 'too many trailers');
    this.#name = '';
    this.#state = NAME;
    this.#addToName(byte);
  }

  #addToName(byte: number): void {
    if (TOKEN[byte] !== 1) throw this.#refuse('bad_trailer', 'a trailer name that is not a token');
    if (this.#name.length < TELLING_BYTES) this.#name += String.fromCharCode(byte);
  }

  #endName(): void {
    const name = this.#name.toLowerCase();
    if (!mayBeTrailer(name)) throw this.#refuse('forbidden_trailer', `trailer ${name}`);
    this.#state = VALUE;
  }

  #refuse(reason: Http1Reason, message: string): Http1Error {
    return new Http1Error(this.#side, reason, message);
  }
}
