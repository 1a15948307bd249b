/**
 * The bytes of a request on their way to the application: gathered with the head, held while a connection is made,
 * kept as long as another attempt may need them. Bounded: a client that sends faster than the application reads is
 * paused, what does not fit for another attempt is not kept, and what was kept is sent as fast as it is taken.
 */

import { type Brake, SLOWER } from '../wire/brake.ts';
import { owned, type Wire } from '../wire/wire.ts';
import type { H1Upstream } from './upstream-connection.ts';

/** Text and body that leave as one. */
const JOINED_BYTES = 16 * 1024;

export class RequestBody {
  /** Bytes of the request's body so far, framing included. */
  bytes = 0;
  readonly #client: Wire;
  readonly #brake: Brake;
  readonly #waitingBytes: number;
  readonly #tooLarge: () => void;
  /** Head and first bytes that leave together at the end of the turn's input. */
  #text = '';
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Kept pieces that the connection was given; not all while it is {@link RequestBody.#behind}. */
  #given = 0;
  /** The connection takes what was kept, piece by piece; what comes meanwhile is kept behind it. */
  #behind = false;
  /** What may be kept for another attempt; -1: nothing. */
  #keepBytes = -1;

  /**
   * @param brake of the client.
   * @param waitingBytes that may wait for a connection before the client is paused.
   * @param tooLarge the body does not fit: there can be no other attempt.
   */
  constructor(client: Wire, brake: Brake, waitingBytes: number, tooLarge: () => void) {
    this.#client = client;
    this.#brake = brake;
    this.#waitingBytes = waitingBytes;
    this.#tooLarge = tooLarge;
  }

  /** Nothing is on its way that was not written yet. */
  get flushed(): boolean {
    return this.#text === '' && !this.#behind;
  }

  begin(keepBytes: number): void {
    this.bytes = 0;
    this.#keepBytes = keepBytes;
  }

  /** Sends the head, and what has come of the body, to a connection. */
  send(head: string, to: H1Upstream): void {
    this.#text = head;
    this.resumeClient();
    if (this.#kept.length === 0) return;
    this.#given = 0;
    this.#behind = true;
    to.wire.cork();
    this.flush(to);
    if (!to.closed) this.#goOn(to);
    to.wire.uncork();
  }

  /** The connection takes bytes again. */
  drained(to: H1Upstream): void {
    if (!this.#behind || this.#goOn(to)) this.resumeClient();
  }

  /** chunk[from…until), which is the client's. @param to undefined while there is no connection. */
  take(chunk: Buffer, from: number, until: number, to: H1Upstream | undefined): void {
    const bytes = until - from;
    if (bytes === 0) return;
    this.bytes += bytes;
    const waits = to === undefined || this.#behind;
    if (this.#keepBytes >= 0 || waits) this.#keep(chunk, from, until, !waits);
    if (waits) return;
    if (this.#text !== '' && this.#text.length + bytes <= JOINED_BYTES) {
      this.#text += chunk.toString('latin1', from, until);
      return;
    }
    this.flush(to);
    if (!to.wire.write(owned(this.#client, chunk.subarray(from, until)))) this.#full(to);
  }

  /** What was gathered leaves. */
  flush(to: H1Upstream | undefined): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (to?.wire.writeText(text) === false) this.#full(to);
  }

  /** The attempt came to nothing: its head is not to be sent any more. */
  drop(): void {
    this.#text = '';
    this.#behind = false;
  }

  /** There will be no other attempt. */
  commit(): void {
    this.#keepBytes = -1;
    if (!this.#behind) this.#forget();
  }

  over(): void {
    this.drop();
    this.commit();
    this.resumeClient();
  }

  pauseClient(): void {
    this.#brake.hold(SLOWER);
  }

  resumeClient(): void {
    this.#brake.release(SLOWER);
  }

  /** @returns false when the connection is full, or gone. */
  #goOn(to: H1Upstream): boolean {
    let more = true;
    while (this.#given < this.#kept.length) {
      if (!more) return false;
      more = to.wire.write(this.#kept[this.#given++] as Buffer);
      // The next one may have begun from the first piece again.
      if (to.closed) return false;
      if (!more) this.pauseClient();
    }
    this.#behind = false;
    if (this.#keepBytes < 0) this.#forget();
    return more;
  }

  /** Writing can show that it is closed: then it never drains, and another may have taken its place already. */
  #full(connection: H1Upstream): void {
    if (!connection.closed) this.pauseClient();
  }

  #keep(chunk: Buffer, from: number, until: number, sending: boolean): void {
    this.#keptBytes += until - from;
    if (this.#keepBytes >= 0 && this.#keptBytes > this.#keepBytes) {
      this.#keepBytes = -1;
      this.#tooLarge();
      if (sending) return this.#forget();
    }
    this.#kept.push(Buffer.from(chunk.subarray(from, until)));
    if (!sending && this.#keptBytes > this.#waitingBytes) this.pauseClient();
  }

  #forget(): void {
    if (this.#keptBytes === 0) return;
    this.#kept = [];
    this.#keptBytes = 0;
  }
}
