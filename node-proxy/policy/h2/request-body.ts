/**
 * A request's body on its way from the client's stream to the application's, and kept for another attempt. The client
 * may send more only when the application has taken what came: credit is given back when a piece was passed on.
 *
 * Small bodies are kept whatever the route says: what an application refuses unseen (GOAWAY, REFUSED_STREAM) is to be
 * sent again without anybody noticing.
 */

import type { H2Stream, Header } from '../../http2/index.ts';
import type { Plan } from '../exchange/plan.ts';
import { owned, type Wire } from '../wire/wire.ts';
import { lasting } from './transport.ts';

const KEPT_ANYWAY_BYTES = 64 * 1024;
const NOTHING: readonly Buffer[] = [];

export class RequestBody {
  bytes = 0;
  /** The client has said its last byte. */
  ended = false;
  /** Nothing was given up of what has come so far: another attempt can send it. */
  whole = true;
  readonly #client: H2Stream;
  readonly #wire: Wire;
  readonly #plan: Pick<Plan, 'keepBytes' | 'tooLarge'>;
  #trailers: readonly Header[] | undefined;
  #upstream: H2Stream | undefined;
  #kept: Buffer[] | undefined;
  #keptBytes = 0;
  /** Kept pieces that the stream was given; not all while it is {@link RequestBody.#behind}. */
  #given = 0;
  /** The stream takes what was kept, piece by piece; what comes meanwhile is kept behind it. */
  #behind = false;
  /** Another attempt may still be made. */
  #keeping = true;
  /** Bytes whose credit is held back. */
  #owed = 0;

  constructor(client: H2Stream, wire: Wire, plan: Pick<Plan, 'keepBytes' | 'tooLarge'>) {
    this.#client = client;
    this.#wire = wire;
    this.#plan = plan;
  }

  /** There is none. */
  get empty(): boolean {
    return this.ended && this.bytes === 0 && this.#trailers === undefined;
  }

  /** All that came has been taken, and more is to come. */
  get awaited(): boolean {
    return !this.ended && this.#owed === 0 && this.#upstream !== undefined;
  }

  data(chunk: Buffer): void {
    const { length } = chunk;
    const upstream = this.#upstream;
    const waits = upstream === undefined || this.#behind;
    this.bytes += length;
    if (this.#keeping || waits) this.#keep(chunk);
    if (waits || !upstream.write(lasting(this.#wire, chunk))) {
      this.#owed += length;
      return;
    }
    this.#client.consumed(length + this.#owed);
    this.#owed = 0;
  }

  /** Instead of {@link RequestBody.end}: fields after the last byte. */
  trailers(fields: readonly Header[]): void {
    this.#trailers = fields;
  }

  end(): void {
    this.ended = true;
    if (this.#upstream !== undefined && !this.#behind) this.#finish(this.#upstream);
  }

  /** A stream to the application takes it from the beginning. */
  attach(upstream: H2Stream): void {
    this.#upstream = upstream;
    this.#given = 0;
    this.#goOn(upstream);
  }

  /** The attempt is over. */
  detach(): void {
    this.#upstream = undefined;
    this.#behind = false;
  }

  /** No further attempt will be made. */
  settle(): void {
    this.#keeping = false;
    if (!this.#behind) this.#kept = undefined;
    this.whole = this.bytes === 0;
  }

  /** The application takes bytes again. */
  drained(): void {
    if (this.#behind) this.#goOn(this.#upstream as H2Stream);
    else this.#giveCredit();
  }

  /** The request is over: what nobody will take counts against the client's connection no longer. */
  over(): void {
    this.#upstream = undefined;
    this.#kept = undefined;
    // A stream that has not ended is reset, and gives it back by that.
    if (this.ended) this.#giveCredit();
  }

  #goOn(upstream: H2Stream): void {
    const kept = this.#kept ?? NOTHING;
    this.#behind = true;
    let more = true;
    while (this.#given < kept.length) {
      if (!more) return;
      more = upstream.write(kept[this.#given++] as Buffer);
      // On the way it was given up, or went on and came to the end.
      if (this.#upstream !== upstream || !this.#behind) return;
    }
    this.#behind = false;
    this.#limit();
    if (more) this.#giveCredit();
    if (this.ended) this.#finish(upstream);
  }

  #giveCredit(): void {
    if (this.#owed === 0) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.#client.consumed(bytes);
  }

  #finish(upstream: H2Stream): void {
    if (this.#trailers !== undefined) upstream.trailers(this.#trailers);
    else upstream.end();
  }

  #keep(chunk: Buffer): void {
    this.#kept ??= [];
    this.#kept.push(owned(this.#wire, chunk));
    this.#keptBytes += chunk.length;
    // Until it is on its way it is needed anyway, and bounded by the client's window.
    if (this.#upstream !== undefined && !this.#behind) this.#limit();
  }

  #limit(): void {
    const { keepBytes } = this.#plan;
    if (keepBytes >= 0 && this.#keptBytes > keepBytes) this.#plan.tooLarge();
    if (!this.#keeping || this.#keptBytes > Math.max(keepBytes, KEPT_ANYWAY_BYTES)) this.settle();
  }
}
