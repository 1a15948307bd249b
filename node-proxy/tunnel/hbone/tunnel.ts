/**
 * One HBONE tunnel of a pod to a peer, client side: TCP from inside the pod's netns, TLS 1.3 with the pod's
 * certificate, HTTP/2, and a CONNECT stream per connection.
 *
 *   connecting ──► ready ──► draining (GOAWAY seen, or closing when idle) ──► closed
 *        └──────────┴───────────────┴── error, ping unanswered ──────────────────┘
 */

import type { Socket } from 'node:net';
import { type SecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Clock, Timer } from '#base/clock.ts';
import {
  type ConnectionEvents,
  H2Connection,
  type H2Stream,
  type Header,
  type StreamEvents,
} from '../../http2/index.ts';
import { ConnectionRefused, refusalOf } from '../failure.ts';
import { StreamSide } from '../relay/side.ts';
import { bindTransport } from './tls-transport.ts';
import { CLOSE_WITHIN_MS, H2_SETTINGS, PING_EVERY_MS, PONG_WITHIN_MS, TLS_OPTIONS } from './wire.ts';

export interface TunnelOptions {
  /** A socket that is connecting, or connected, to the peer's HBONE port. */
  socket: Socket;
  context: SecureContext;
  /** The SPIFFE id that the peer's certificate must have. */
  expected: string;
  clock: Clock;
  /** Streams per tunnel at the most; the peer's own limit counts too. */
  maxStreams: number;
  /** Closed after this long without a stream. */
  idleMs: number;
  /** Takes no new streams from now on. Called once. */
  onRetired: (tunnel: Tunnel) => void;
  /** Its socket is gone. Called once, after `onRetired`. */
  onClosed: (tunnel: Tunnel) => void;
}

export class Tunnel implements ConnectionEvents {
  readonly #options: TunnelOptions;
  readonly #tls: TLSSocket;
  #connection: H2Connection | undefined;
  #state: 'connecting' | 'ready' | 'draining' | 'closed' = 'connecting';
  #reserved = 0;
  /** Monotonic time since when no stream was open. */
  #idleSinceMs: number | undefined;
  #pinging: Timer | undefined;
  #pongDue: Timer | undefined;
  #opened: { resolve: () => void; reject: (error: ConnectionRefused) => void; timer: Timer } | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    const { socket, context, expected } = options;
    this.#tls = tlsConnect({
      socket,
      secureContext: context,
      ALPNProtocols: [...TLS_OPTIONS.ALPNProtocols],
      // Peers choose their certificate by the netns that accepted; a name would only leak.
      servername: '',
      rejectUnauthorized: true,
      checkServerIdentity: (_host, certificate) => identityError(certificate.subjectaltname, expected),
    });
    this.#tls.on('error', error => this.#failed(refusalOf(error, `tunnel to ${expected}`)));
    this.#tls.on('close', () => this.#failed(gone(expected)));
    this.#tls.once('secureConnect', () => this.#secured());
  }

  /** Resolves when streams can be opened; rejects with {@link ConnectionRefused}. Call once, at once. */
  opened(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.after(timeoutMs, () => {
        this.#failed(
          new ConnectionRefused(
            'connect_timeout',
            `no tunnel to ${this.#options.expected} in ${timeoutMs} ms`,
          ),
        );
      });
      this.#opened = { resolve, reject, timer };
    });
  }

  /** Takes a place for a stream that is to be opened in this turn or soon; {@link Tunnel.open} uses it. */
  reserve(): void {
    this.#reserved += 1;
  }

  get streams(): number {
    return this.#connection?.openStreams ?? 0;
  }

  /** Open streams go on, but no more of them are opened. */
  get retired(): boolean {
    return this.#state === 'draining' || this.#state === 'closed';
  }

  get hasRoom(): boolean {
    const connection = this.#connection;
    return (
      this.#state === 'ready' &&
      connection !== undefined &&
      connection.canOpen &&
      // A peer that takes nothing more on this tunnel shall not hold up new connections.
      !connection.stalled &&
      connection.openStreams + this.#reserved < this.#options.maxStreams
    );
  }

  /** Opens a CONNECT stream in a reserved place; resolves on 200. */
  open(headers: readonly Header[], timeoutMs: number): Promise<StreamSide> {
    const connection = this.#connection;
    this.#reserved -= 1;
    if (connection?.canOpen !== true) return Promise.reject(gone(this.#options.expected));
    this.#idleSinceMs = undefined;
    return new Promise((resolve, reject) => {
      const opening = new Opening(this, headers, this.#options.clock, timeoutMs, resolve, reject);
      try {
        opening.stream = connection.request(headers, opening, false);
      } catch (error) {
        opening.fail(gone(this.#options.expected, error));
      }
    });
  }

  /** No new streams; the open ones go on until they end. */
  close(): void {
    this.#retire();
    if (this.#connection === undefined) this.destroy();
    else this.#connection.goaway();
  }

  destroy(): void {
    this.#failed(gone(this.#options.expected));
  }

  onReady(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'ready';
    this.#pinging = this.#options.clock.every(PING_EVERY_MS, () => this.#beat());
    this.#opened?.timer.cancel();
    this.#opened?.resolve();
  }

  onGoaway(): void {
    this.#retire();
  }

  onClosed(error: Error | undefined): void {
    if (error !== undefined) return this.#failed(gone(this.#options.expected, error));
    // What was written last still has to leave.
    this.#retire();
    this.#options.clock.after(CLOSE_WITHIN_MS, () => this.#tls.destroy());
  }

  onPong(): void {
    this.#pongDue?.cancel();
    this.#pongDue = undefined;
  }

  #secured(): void {
    if (this.#tls.alpnProtocol !== 'h2') {
      this.#failed(
        new ConnectionRefused('tls_failure', `the peer of ${this.#options.expected} does not speak h2`),
      );
      return;
    }
    this.#connection = bindTransport(
      this.#tls,
      transport => new H2Connection({ role: 'client', transport, events: this, ...H2_SETTINGS }),
    );
  }

  #beat(): void {
    const { clock, idleMs } = this.#options;
    if (this.streams > 0) this.#idleSinceMs = undefined;
    else this.#idleSinceMs ??= clock.monotonic();
    if (this.#idleSinceMs !== undefined && clock.monotonic() - this.#idleSinceMs >= idleMs)
      return this.close();
    this.#connection?.ping();
    // A dead peer must not hold connections for the kernel's time-out (about 15 minutes).
    this.#pongDue ??= this.#options.clock.after(PONG_WITHIN_MS, () => this.destroy());
  }

  #retire(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return;
    this.#state = 'draining';
    this.#options.onRetired(this);
  }

  #failed(error: ConnectionRefused): void {
    if (this.#state === 'closed') return;
    this.#retire();
    this.#state = 'closed';
    this.#pinging?.cancel();
    this.#pongDue?.cancel();
    this.#opened?.timer.cancel();
    this.#opened?.reject(error);
    this.#connection?.destroy();
    this.#tls.destroy();
    this.#options.onClosed(this);
  }
}

/** A stream between request and answer. */
class Opening implements StreamEvents {
  stream: H2Stream | undefined;
  readonly #tunnel: Tunnel;
  readonly #authority: string;
  readonly #timer: Timer;
  readonly #resolve: (side: StreamSide) => void;
  readonly #reject: (error: ConnectionRefused) => void;

  constructor(
    tunnel: Tunnel,
    headers: readonly Header[],
    clock: Clock,
    timeoutMs: number,
    resolve: (side: StreamSide) => void,
    reject: (error: ConnectionRefused) => void,
  ) {
    this.#tunnel = tunnel;
    this.#authority = headers[1]?.[1] ?? '';
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = clock.after(timeoutMs, () =>
      this.fail(
        new ConnectionRefused('connect_timeout', `${this.#authority} did not answer in ${timeoutMs} ms`),
      ),
    );
  }

  onHeaders(headers: readonly Header[]): void {
    const status = headers[0]?.[1];
    if (status !== '200' || this.stream === undefined) return this.fail(refusedBy(status, this.#authority));
    this.#timer.cancel();
    this.#resolve(new StreamSide(this.stream, this.#tunnel));
  }

  onData(): void {
    // Data before the answer is a protocol error that the connection has already dealt with.
  }

  onEnd(): void {
    this.fail(refusedBy(undefined, this.#authority));
  }

  onReset(code: number): void {
    this.#timer.cancel();
    // REFUSED_STREAM promises that nothing was processed (RFC 9113 §8.7); so does a connection that went away
    // before it answered, as nothing but the request was sent.
    this.#reject(gone(this.#authority, `reset with code ${code}`));
  }

  onDrain(): void {}

  fail(error: ConnectionRefused): void {
    this.#timer.cancel();
    this.#reject(error);
    if (this.stream !== undefined && !this.stream.closed) this.stream.reset(CANCEL);
  }
}

const CANCEL = 0x8;

/** Undefined when one of the certificate's URI names is the expected SPIFFE id. */
function identityError(names: string | undefined, expected: string): Error | undefined {
  const uris = (names ?? '').split(', ').filter(name => name.startsWith('URI:'));
  if (uris.includes(`URI:${expected}`)) return undefined;
  const seen = uris.join(' ') || 'no URI name';
  return new ConnectionRefused('wrong_identity', `expected ${expected}, the peer's certificate has ${seen}`);
}

function refusedBy(status: string | undefined, authority: string): ConnectionRefused {
  if (status === '401') return new ConnectionRefused('policy', `the peer's policy refused ${authority}`);
  if (status === '503')
    return new ConnectionRefused('connect_failed', `the peer could not connect to ${authority}`);
  return new ConnectionRefused('peer_error', `the peer answered ${status ?? 'nothing'} for ${authority}`);
}

function gone(what: string, cause?: unknown): ConnectionRefused {
  return new ConnectionRefused('tunnel_gone', `the tunnel for ${what} is gone`, cause);
}
