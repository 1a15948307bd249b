/** Requests that the tests make from inside pods: single ones, and steady load over connections that are kept. */

import { Agent, type ClientRequest, request } from 'node:http';
import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeshPod } from '../node-proxy/rig.ts';
import type { Seen } from './http-mesh.ts';

const ANSWER_MS = 10_000;

export interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
  timeoutMs?: number;
}

export interface Answer {
  /** 0: there was none. */
  status: number;
  body: string;
  headers: Record<string, string | string[] | undefined>;
  /** Why there was none. */
  error: string;
  tookMs: number;
  /** When it was over, of `performance.now()`. */
  atMs: number;
}

/** One request on a connection of its own. Never rejects. */
export async function ask(from: MeshPod, ip: string, port: number, asked: Asked = {}): Promise<Answer> {
  let socket: Socket;
  try {
    socket = await from.ns.connect(ip, port);
  } catch (error) {
    return { status: 0, body: '', headers: {}, error: String(error), tookMs: 0, atMs: performance.now() };
  }
  try {
    return await answerOn(socket, asked);
  } finally {
    socket.destroy();
  }
}

/** One request on an open connection, which it closes. */
export function answerOn(socket: Socket, asked: Asked): Promise<Answer> {
  return answerOf(asked, options => request({ ...options, createConnection: () => socket }));
}

/** `200`, or what went wrong in a word. */
export async function outcome(...call: Parameters<typeof ask>): Promise<string> {
  return described(await ask(...call));
}

export function described({ status, error }: Answer): string {
  return status === 0 ? error : String(status);
}

/** What the application saw of it. */
export async function seen(...call: Parameters<typeof ask>): Promise<Seen> {
  const { status, body, error } = await ask(...call);
  if (status !== 200) throw new Error(`${status} ${error} ${body}`);
  return JSON.parse(body) as Seen;
}

function answerOf(
  { method = 'GET', path = '/', headers = {}, body, timeoutMs = ANSWER_MS }: Asked,
  open: (options: { method: string; path: string; headers: Record<string, string> }) => ClientRequest,
): Promise<Answer> {
  const start = performance.now();
  const length: Record<string, string> =
    body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const call = open({ method, path, headers: { host: 'web', ...length, ...headers } });
  return new Promise(resolve => {
    const done = (answer: Partial<Answer>) => {
      clearTimeout(timer);
      const atMs = performance.now();
      resolve({ status: 0, body: '', headers: {}, error: '', ...answer, tookMs: atMs - start, atMs });
    };
    const timer = setTimeout(() => {
      done({ error: 'timed out' });
      call.destroy();
    }, timeoutMs);
    call.on('error', (error: NodeJS.ErrnoException) => done({ error: error.code ?? error.message }));
    call.on('response', response => {
      let text = '';
      response.setEncoding('latin1').on('data', piece => {
        text += piece;
      });
      response.on('end', () =>
        done({ status: response.statusCode ?? 0, body: text, headers: response.headers }),
      );
      response.on('error', (error: NodeJS.ErrnoException) => done({ error: `broken off: ${error.code}` }));
    });
    call.end(body);
  });
}

/** Requests at a steady rate over a few connections that are kept, until stopped. */
export class Load {
  readonly answers: Answer[] = [];
  readonly #agent: Agent;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<unknown>>();

  constructor(
    from: MeshPod,
    ip: string,
    port: number,
    perSecond: number,
    asked: Asked = {},
    connections = 4,
  ) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
    this.#agent.createConnection = (_options, callback) => {
      from.ns.connect(ip, port).then(
        socket => callback?.(null, socket),
        (error: Error) => callback?.(error, undefined as never),
      );
      return undefined;
    };
    this.#timer = setInterval(() => {
      const one = answerOf(asked, options =>
        request({ ...options, agent: this.#agent, host: ip, port }),
      ).then(answer => this.answers.push(answer));
      this.#open.add(one);
      void one.finally(() => this.#open.delete(one));
    }, 1_000 / perSecond).unref();
  }

  /** Answers so far, by outcome. */
  get outcomes(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const answer of this.answers) {
      const word = described(answer);
      counts[word] = (counts[word] ?? 0) + 1;
    }
    return counts;
  }

  get slowestMs(): number {
    return Math.max(0, ...this.answers.map(({ tookMs }) => tookMs));
  }

  /** Until it has gone on for so long. */
  async during(ms: number): Promise<Record<string, number>> {
    await sleep(ms);
    return this.stop();
  }

  /** Waits for the last answers. */
  async stop(): Promise<Record<string, number>> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
    return this.outcomes;
  }
}

/** gRPC calls at a steady rate over one HTTP/2 connection, and the next when the server says GOAWAY. */
export class CallLoad {
  /** gRPC statuses, or why there was none. */
  readonly answers: string[] = [];
  slowestMs = 0;
  readonly #from: MeshPod;
  readonly #ip: string;
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  #session: Promise<ClientHttp2Session> | undefined;

  constructor(from: MeshPod, ip: string, port: number, perSecond: number) {
    this.#from = from;
    this.#ip = ip;
    this.#port = port;
    this.#timer = setInterval(() => {
      const start = performance.now();
      const one = this.#call().then(answer => {
        this.answers.push(answer);
        this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
      });
      this.#open.add(one);
      void one.finally(() => this.#open.delete(one));
    }, 1_000 / perSecond).unref();
  }

  async stop(): Promise<Record<string, number>> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    (await this.#session?.catch(() => undefined))?.destroy();
    const counts: Record<string, number> = {};
    for (const answer of this.answers) counts[answer] = (counts[answer] ?? 0) + 1;
    return counts;
  }

  async #call(again = true): Promise<string> {
    try {
      this.#session ??= this.#connect();
      const call = await grpcCall(await this.#session, '/test.Echo/Unary');
      // Never sent, or never looked at: GOAWAY came first. Every gRPC client begins anew (RFC 9113 §8.7).
      if (REFUSED.test(call.error) && again) return this.#call(false);
      const { 'grpc-status': status, 'grpc-message': message = '' } = call.trailers;
      return status === undefined ? call.error : `${status} ${message}`.trim();
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      return REFUSED.test(code) && again ? this.#call(false) : code;
    }
  }

  #connect(): Promise<ClientHttp2Session> {
    const over = () => {
      if (this.#session === opening) this.#session = undefined;
    };
    const opening = this.#from.ns.connect(this.#ip, this.#port).then(socket => {
      const session = connect('http://web', { createConnection: () => socket });
      return session.on('error', over).on('goaway', over).on('close', over);
    });
    opening.catch(over);
    return opening;
  }
}

export interface Call {
  /** Wherever they stood. */
  trailers: IncomingHttpHeaders;
  /** Why there are none. */
  error: string;
}

/** A unary call. Never rejects. */
export function grpcCall(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  timeoutMs = ANSWER_MS,
): Promise<Call> {
  const fields = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...fields, ...headers });
  const call: Call = { trailers: {}, error: 'closed' };
  stream.on('error', (error: NodeJS.ErrnoException) => {
    call.error = error.code === 'ERR_HTTP2_STREAM_ERROR' ? error.message : (error.code ?? error.message);
  });
  for (const event of ['response', 'trailers'])
    stream.on(event, (trailers: IncomingHttpHeaders) => {
      call.trailers = trailers;
    });
  stream.resume().end(MESSAGE);
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      resolve({ trailers: {}, error: 'timed out' });
      stream.close();
    }, timeoutMs);
    stream.on('close', () => {
      clearTimeout(timer);
      resolve(call);
    });
  });
}

/** RFC 9113 §8.7, and what node:http2 says where it knows already. */
const REFUSED = /REFUSED_STREAM|ERR_HTTP2_GOAWAY_SESSION|ERR_HTTP2_INVALID_SESSION/;
const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 42]);
