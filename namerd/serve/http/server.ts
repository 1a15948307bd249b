/**
 * The HTTP server under the control API and the admin interface: routes, limits, time-outs, and one shape for
 * every failure. Nothing that a client sends can end it.
 */

import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { type Clock, systemClock } from '#base/clock.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import { type Logger, silentLog } from '#base/log.ts';
import { HttpError, type Reply } from './exchange.ts';
import { failureReply } from './failure.ts';
import { refuseUnknownHost } from './known-host.ts';
import { streamLines } from './line-stream.ts';
import { readText } from './request-body.ts';
import { type Route, Router } from './router.ts';

export interface HttpServerOptions {
  ip: string;
  /** 0 lets the system choose. */
  port: number;
  routes: readonly Route[];
  /** Names by which it is spoken to, beside addresses and `localhost`; lower-case. */
  hosts?: readonly string[];
  /** Served over TLS (1.2 and 1.3) with this; plain HTTP without. */
  tls?: SecureContextOptions | undefined;
  clock?: Clock;
  log?: Logger;
  /** Told of every answer when it begins. */
  observe?: (request: AnsweredRequest) => void;
}

export interface AnsweredRequest {
  /** The pattern, or '' when nothing matched: bounded, unlike paths. */
  route: string;
  method: string;
  status: number;
  seconds: number;
}

const MAX_CONNECTIONS = 2_000;
const MAX_STREAMS = 1_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
/** How long a stopping server waits for requests under way. */
const DRAIN_MS = 5_000;

export class HttpServer {
  readonly #server: Server;
  readonly #router: Router;
  readonly #hosts: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #observe: (request: AnsweredRequest) => void;
  readonly #streams = new Set<() => void>();
  readonly #aborts = new Set<AbortController>();
  #closing = false;

  private constructor(options: HttpServerOptions) {
    const { routes, tls, hosts = [], clock = systemClock, log = silentLog, observe = () => {} } = options;
    this.#observe = observe;
    this.#router = new Router(routes);
    this.#hosts = new Set(hosts);
    this.#clock = clock;
    this.#log = log;
    const limits = {
      maxHeaderSize: 32 * 1024,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 2_000,
    };
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response);
    this.#server =
      tls === undefined
        ? createServer(limits, answer)
        : createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, answer);
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('clientError', refuse);
  }

  /** @throws the listen error (EADDRINUSE, EACCES) as NM_LISTEN */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options);
    try {
      server.#server.listen(options.port, options.ip);
      await once(server.#server, 'listening');
    } catch (error) {
      throw new ListenError(options.ip, options.port, error);
    }
    server.#server.on('error', error => server.#log.error({ err: error }, 'HTTP server error'));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Ends streams, lets requests under way finish for a while, then closes their connections. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#closing = true;
    this.#server.close();
    for (const end of [...this.#streams]) end();
    this.#server.closeIdleConnections();
    const timer = this.#clock.after(DRAIN_MS, () => {
      for (const abort of this.#aborts) abort.abort(new Error('the server is stopping'));
      this.#server.closeAllConnections();
    });
    await closed;
    timer.cancel();
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const gone = new AbortController();
    this.#aborts.add(gone);
    response.on('close', () => {
      this.#aborts.delete(gone);
      gone.abort(new Error('the client is gone'));
      if (this.#closing) setImmediate(() => this.#server.closeIdleConnections());
    });
    response.on('error', error => this.#log.debug({ err: error }, 'a client vanished'));
    const { method = 'GET', url = '/', headers } = incoming;
    let route = '';
    let reply: Reply;
    try {
      refuseUnknownHost(headers.host, this.#hosts);
      refuseForeignOrigin(method, headers);
      const [path, query] = splitUrl(url);
      const match = this.#router.match(method, path);
      route = match.route;
      const { params } = match;
      const { signal } = gone;
      reply = await match.handler({
        method,
        path,
        params,
        query,
        headers,
        signal,
        text: () => readText(incoming),
      });
      if ('lines' in reply && this.#streams.size >= MAX_STREAMS)
        throw new HttpError(503, `${MAX_STREAMS} streams are open, which is the limit`);
    } catch (error) {
      reply = failureReply(error, headers.accept);
      if (reply.status >= 500) this.#log.warn({ err: error, method, url }, 'a request failed');
    }
    const seconds = (this.#clock.monotonic() - startedAt) / 1000;
    this.#observe({ route, method, status: reply.status, seconds });
    if (!response.destroyed) this.#send(incoming, response, reply);
  }

  #send(incoming: IncomingMessage, response: ServerResponse, reply: Reply): void {
    response.statusCode = reply.status;
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (reply.type !== undefined) response.setHeader('Content-Type', reply.type);
    // What was not read of the request must not be taken for the next one.
    if (!incoming.complete || this.#closing) response.setHeader('Connection', 'close');
    if ('lines' in reply) {
      if (incoming.method === 'HEAD') response.end();
      else this.#stream(response, reply);
      return;
    }
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    if (reply.etag !== undefined) response.setHeader('ETag', reply.etag);
    response.end(incoming.method === 'HEAD' ? undefined : reply.body);
  }

  #stream(response: ServerResponse, reply: Extract<Reply, { lines: unknown }>): void {
    const end = streamLines(response, reply, this.#clock);
    this.#streams.add(end);
    response.on('close', () => this.#streams.delete(end));
  }
}

export class ListenError extends MeshError {
  constructor(ip: string, port: number, cause: unknown) {
    super('NM_LISTEN', `cannot listen on ${ip} port ${port}: ${messageOf(cause)}`, {
      by: 'config',
      next: 'Choose another address or port, or stop what listens there.',
      cause,
    });
  }
}

function splitUrl(url: string): [path: string, query: URLSearchParams] {
  const question = url.indexOf('?');
  if (question < 0) return [url, new URLSearchParams()];
  return [url.slice(0, question), new URLSearchParams(url.slice(question + 1))];
}

/** A page of another site that is open in an operator's browser must not change anything here. */
function refuseForeignOrigin(method: string, { origin, host }: IncomingHttpHeaders): void {
  if (origin === undefined || method === 'GET' || method === 'HEAD') return;
  if (URL.parse(origin)?.host !== host?.toLowerCase())
    throw new HttpError(403, `changes from ${origin} are refused`);
}

/** What is no HTTP gets a short answer, if it can still be given, and the connection ends. */
function refuse(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
