/**
 * One connection to namerd: TLS 1.3 with namerd's identity checked, HTTP/2, single requests, and the watch stream
 * with its beats. It never reconnects; when it ends, it says why, once.
 */

import { X509Certificate } from 'node:crypto';
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import tls from 'node:tls';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { formatEndpoint } from '#base/net.ts';
import { namerdId, TrustError, verifyPeer } from '#trust';
import { LineReader } from './line-reader.ts';
import { serverLine } from './line-shapes.ts';
import { MeshApiError } from './mesh-error.ts';
import { BEAT_MS, type ClientLine, MAX_LINE_BYTES, type ServerLine, SILENCE_MS } from './mesh-protocol.ts';

export interface MeshCredentials {
  /** PKCS#8 PEM. A secret. */
  keyPem: string;
  /** Leaf first, without the root. */
  chainPem: string;
}

export interface ConnectionOptions {
  host: string;
  port: number;
  trustDomain: string;
  roots: readonly string[];
  credentials: MeshCredentials | undefined;
  clock: Clock;
  /** From dialling to the end of the handshake, and for the answer to a request. */
  timeoutMs: number;
  /** Called once, however it ends; not after {@link MeshConnection.close}. */
  onDown(error: MeshApiError): void;
}

export interface WatchEvents {
  onUp(): void;
  onLine(line: ServerLine): void;
}

/** Room for a burst of states, so that flow control does not cost a round trip for each 64 KiB. */
const WINDOW = 1024 * 1024;
/** Enough for a chain and a bundle of roots. */
const MAX_ANSWER = 2 * 1024 * 1024;

export class MeshConnection {
  readonly #options: ConnectionOptions;
  readonly #session: ClientHttp2Session;
  readonly #deadline: Timer;
  #watch: ClientHttp2Stream | undefined;
  #beats: Timer | undefined;
  #heardAt = 0;
  #sentAt = 0;
  #ended = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { host, port, clock, timeoutMs } = options;
    const socket = this.#dial();
    this.#session = http2.connect(`https://${formatEndpoint(host, port)}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW },
    });
    this.#session.once('connect', () => {
      // Announced a tick late: whoever closed the connection meanwhile has destroyed the session.
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(4 * WINDOW);
    });
    this.#session.on('error', error => this.#down(explain(error, this.#where)));
    this.#session.on('goaway', () => this.#down(this.#broken('namerd says goodbye')));
    this.#session.on('close', () => this.#down(this.#broken('the connection was closed')));
    this.#deadline = clock.after(timeoutMs, () =>
      this.#down(this.#broken(`no handshake within ${timeoutMs} ms`)),
    );
    socket.once('secureConnect', () => this.#deadline.cancel());
  }

  /** Opens the watch stream. `onUp` comes first, when namerd has accepted it. */
  watch({ onUp, onLine }: WatchEvents): void {
    const { clock } = this.#options;
    const stream = this.#session.request({ ':method': 'POST', ':path': '/mesh/v1/watch' });
    this.#watch = stream;
    this.#heardAt = this.#sentAt = clock.monotonic();
    stream.on('error', error => this.#down(explain(error, this.#where)));
    stream.on('close', () => this.#down(this.#broken('namerd ended the watches')));
    stream.once('response', ({ ':status': status = 0 }) => {
      if (status !== 200) {
        void readJson(stream).then(body => this.#down(MeshApiError.refusal(status, body)));
        return;
      }
      const reader = new LineReader(MAX_LINE_BYTES);
      onUp();
      stream.on('data', (chunk: Buffer) => {
        this.#heardAt = clock.monotonic();
        try {
          reader.push(chunk, value => {
            const line = this.#ended ? undefined : serverLine(value);
            if (line !== undefined && !('beat' in line)) onLine(line);
          });
        } catch (error) {
          this.#down(error instanceof MeshApiError ? error : this.#broken(messageOf(error), error));
        }
      });
    });
    this.#beats = clock.every(1000, () => this.#beat());
  }

  /** Only after `onUp`. */
  send(line: ClientLine): void {
    if (this.#ended) return;
    this.#sentAt = this.#options.clock.monotonic();
    this.#watch?.write(`${JSON.stringify(line)}\n`);
  }

  /** @throws MeshApiError */
  request(path: string, body: unknown): Promise<unknown> {
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const fail = (error: MeshApiError) => {
        timer.cancel();
        reject(error);
      };
      const timer = clock.after(timeoutMs, () => {
        fail(MeshApiError.failure('NM_MESH_TIMEOUT', `no answer from ${this.#where} within ${timeoutMs} ms`));
        stream.close(http2.constants.NGHTTP2_CANCEL);
      });
      if (this.#session.destroyed) return fail(this.#broken('the connection is closed'));
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/json',
      });
      stream.once('error', error => fail(explain(error, this.#where)));
      stream.once('close', () => fail(this.#broken('the connection ended before the answer')));
      stream.once('response', ({ ':status': status = 0 }) => {
        readJson(stream).then(answer => {
          timer.cancel();
          if (status === 200) resolve(answer);
          else reject(MeshApiError.refusal(status, answer));
        });
      });
      stream.end(JSON.stringify(body));
    });
  }

  /** Ends the watches at once; requests under way may finish. */
  close(): void {
    this.#end();
    this.#watch?.destroy();
    this.#session.close();
    // Without requests there is nothing to wait for, and a peer that is gone would keep the socket.
    this.#options.clock.after(this.#options.timeoutMs, () => this.#session.destroy());
  }

  /** As {@link close}, but requests fail. */
  destroy(): void {
    this.#end();
    this.#session.destroy();
  }

  get #where(): string {
    return `namerd at ${formatEndpoint(this.#options.host, this.#options.port)}`;
  }

  #dial(): tls.TLSSocket {
    const { host, port, roots, credentials, trustDomain } = this.#options;
    const namerd = namerdId(trustDomain);
    return tls.connect({
      host,
      port,
      ca: [...roots],
      ...(credentials === undefined ? {} : { key: credentials.keyPem, cert: credentials.chainPem }),
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.3',
      noDelay: true,
      // The name that counts is the SPIFFE id; where namerd listens says nothing.
      checkServerIdentity: (_host, peer) => {
        try {
          verifyPeer(new X509Certificate(peer.raw), { trustDomain, anyOf: [namerd] });
          return undefined;
        } catch (error) {
          return error instanceof Error ? error : new Error(String(error));
        }
      },
    } as tls.ConnectionOptions);
  }

  #beat(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#heardAt >= SILENCE_MS)
      this.#down(
        MeshApiError.failure('NM_MESH_SILENT', `nothing was heard from ${this.#where} for ${SILENCE_MS} ms`),
      );
    else if (now - this.#sentAt >= BEAT_MS - 1000) this.send({ op: 'beat' });
  }

  #broken(why: string, cause?: unknown): MeshApiError {
    return MeshApiError.failure('NM_MESH_UNREACHABLE', `${this.#where}: ${why}`, cause);
  }

  #down(error: MeshApiError): void {
    if (this.#ended) return;
    this.#end();
    this.#session.destroy();
    this.#options.onDown(error);
  }

  #end(): void {
    this.#ended = true;
    this.#deadline.cancel();
    this.#beats?.cancel();
  }
}

/** The JSON body of an answer, or undefined when it is none, too long, or cut off. */
async function readJson(stream: ClientHttp2Stream): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    // The status alone tells what happened then.
    return undefined;
  }
}

function explain(thrown: unknown, where: string): MeshApiError {
  // A stream that waits for the handshake is told only that it was cancelled; the reason is behind that.
  const cancelled = codeOf(thrown) === 'ERR_HTTP2_STREAM_CANCEL' && thrown instanceof Error;
  const error = cancelled && thrown.cause !== undefined ? thrown.cause : thrown;
  const code = codeOf(error) ?? '';
  const text = messageOf(error);
  if (/^ERR_(SSL|OSSL)/.test(code))
    return MeshApiError.failure('NM_MESH_CREDENTIALS', `no TLS with ${where}: ${text}`, error);
  if (error instanceof TrustError || /CERT|SIGNATURE|ISSUER|_CA$/.test(code)) {
    const message = `whoever answers as ${where} can not be trusted: ${text}`;
    return MeshApiError.failure('NM_MESH_IDENTITY', message, error);
  }
  return MeshApiError.failure('NM_MESH_UNREACHABLE', `${where}: ${text}`, error);
}
