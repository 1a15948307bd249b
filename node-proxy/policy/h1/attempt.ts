/**
 * The attempts of a request, one after another: each on a connection to the application that has waited, or that is
 * made for it; what comes late for an earlier attempt is never taken for this one's. Used again for every request of
 * the client's connection.
 */

import { forwardRequest, type RequestHead } from '../../http1/index.ts';
import type { Host } from '../exchange/host.ts';
import type { Plan, Upstream } from '../exchange/plan.ts';
import { HttpRefusal } from '../reply/index.ts';
import { HostEdit } from './host-edit.ts';
import { isReusable, mayHaveCrossed, takeIdle } from './reuse.ts';
import type { H1Upstream, ResponseReader } from './upstream-connection.ts';

export interface AttemptOwner extends ResponseReader {
  connected(connection: H1Upstream): void;
  unconnected(refusal: HttpRefusal): void;
}

export class Attempt {
  /** Carries the request. */
  connection: H1Upstream | undefined;
  readonly #host: Host;
  readonly #owner: AttemptOwner;
  readonly #hostEdit = new HostEdit();
  #upstream: Upstream | undefined;
  /** Which attempt it is. */
  #turn = 0;
  /** The next one must not be sent on a connection that has waited. */
  #anew = false;

  constructor(host: Host, owner: AttemptOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  /** Where the last one went, or ''. */
  get address(): string {
    return this.#upstream?.address ?? '';
  }

  /** @returns a connection that waits; or nothing: the owner hears of one. */
  begin(upstream: Upstream, head: RequestHead, nowMs: number): H1Upstream | undefined {
    this.#upstream = upstream;
    this.#turn += 1;
    const ready = this.#anew ? undefined : takeIdle(upstream, nowMs, head);
    if (ready === undefined) void this.#connect(upstream, this.#turn);
    return ready;
  }

  /** It is this request's from now on. @returns the head to send. */
  claim(connection: H1Upstream, head: RequestHead, plan: Plan): string {
    this.connection = connection;
    connection.claim(this.#owner);
    connection.parser.expect(head.method, head.upgrade);
    const edits = this.#hostEdit.of(plan.authority, plan.requestEdits);
    const text = forwardRequest(head, head.method, plan.path, edits, true, plan.ownLines);
    // A client of HTTP/1.0 could not read chunks: the server must not send any.
    return head.minor === 1 ? text : text.replace(' HTTP/1.1\r\n', ' HTTP/1.0\r\n');
  }

  /** Whether the request and the connection's end may have crossed. @param bodyBytes of the request so far. */
  crossed(connection: H1Upstream, head: RequestHead, bodyBytes: number): boolean {
    const crossed = mayHaveCrossed(connection, head, bodyBytes);
    this.#anew ||= crossed;
    return crossed;
  }

  /** There is a whole response. @param clean nothing of either message is missing, and nothing follows. */
  giveBack(connection: H1Upstream, clean: boolean, head: RequestHead, nowMs: number): void {
    this.connection = undefined;
    if (!clean || !isReusable(connection, head)) return connection.destroy();
    connection.parser.next();
    connection.release(nowMs);
  }

  /** Whatever still comes of it is not wanted. */
  drop(): void {
    this.#turn += 1;
    const { connection } = this;
    this.connection = undefined;
    connection?.destroy();
  }

  /** The request is over. */
  over(): void {
    this.drop();
    this.#upstream = undefined;
    this.#anew = false;
  }

  async #connect(upstream: Upstream, turn: number): Promise<void> {
    let connection: H1Upstream;
    try {
      connection = await upstream.connectH1(() => this.#turn === turn);
    } catch (error) {
      if (this.#turn === turn) this.#owner.unconnected(HttpRefusal.of(error));
      return;
    }
    // Nobody waits any more; somebody may soon.
    if (this.#turn !== turn) return connection.release(this.#host.now());
    if (!connection.closed) return this.#owner.connected(connection);
    const { address } = upstream;
    this.#owner.unconnected(new HttpRefusal('upstream_reset', `${address} closed the connection at once`));
  }
}
