/**
 * Makes HTTP requests on order, from inside a pod: over connections that are kept, as most HTTP clients do. The
 * orders come over a unix socket (ORDERS), beside the network: POST an {@link Order}, the answer is a {@link Delivery}.
 */

import { Agent, createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GrpcOrder } from './grpc/trip.ts';

export interface Order {
  url: string;
  /** The request's target as it is sent, if the URL's would be tidied up. */
  path?: string;
  /** Default: POST with two numbers; GET if there is no body. */
  method?: string;
  headers?: Readonly<Record<string, string>>;
  /** Default `{"op1":4,"op2":2}`; '' for none. */
  body?: string;
  /** Requests altogether, default 1. */
  count?: number;
  /** Connections, each with one request at a time; default 1. */
  connections?: number;
  /** Ends when this time is over, if `count` is not reached before. */
  forMs?: number;
  /** Requests begun per second, over all connections; default: as fast as they are answered. */
  perSecond?: number;
  /** By which it can be ended early: POST the name to `/stop`. */
  name?: string;
  /** So many users take turns, each with its own cookie `user`. */
  users?: number;
}

export interface Delivery {
  requests: number;
  /** By HTTP status; requests without an answer by what they failed with, as `ECONNRESET`. */
  statuses: Record<string, number>;
  /** Answers by instance and version, for example `division-1/v1`. */
  answeredBy: Record<string, number>;
  /** First words of `l5d-err`: why a proxy answered. */
  reasons: Record<string, number>;
  /** Who answered each user last, in the order of the users. */
  byUser: string[];
  /** Changes of a user from one version to another, as `v1 → v2`. */
  moves: Record<string, number>;
  /** Of all answers. */
  latencyMs: { p50: number; p99: number; max: number };
  tookMs: number;
  /** The first few, whole. */
  answers: Answer[];
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const KEPT_ANSWERS = 3;
const TIMEOUT_MS = 15_000;
const MAX_ORDER_BYTES = 1 << 20;
const NUMBERS = '{"op1":4,"op2":2}';

/** One order being carried out. */
class Trip {
  readonly #order: Order;
  readonly #agent: Agent;
  #count: number;
  readonly #users: number;
  readonly #begun = performance.now();
  readonly #latencies: number[] = [];
  readonly #delivery: Delivery;
  #next = 0;

  constructor(order: Order) {
    const { connections = 1, count = 1, users = 0 } = order;
    this.#order = order;
    this.#count = count;
    this.#users = users;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#delivery = {
      requests: 0,
      statuses: {},
      answeredBy: {},
      reasons: {},
      byUser: new Array(users).fill(''),
      moves: {},
      latencyMs: { p50: 0, p99: 0, max: 0 },
      tookMs: 0,
      answers: [],
    };
  }

  async run(): Promise<Delivery> {
    const { connections = 1 } = this.#order;
    await Promise.all(Array.from({ length: connections }, () => this.#work()));
    this.#agent.destroy();
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
    this.#delivery.latencyMs = { p50: at(0.5), p99: at(0.99), max: at(1) };
    this.#delivery.tookMs = performance.now() - this.#begun;
    return this.#delivery;
  }

  /** Begins no more requests. */
  stop(): void {
    this.#count = 0;
  }

  async #work(): Promise<void> {
    const { forMs = Number.POSITIVE_INFINITY, perSecond } = this.#order;
    while (this.#next < this.#count && performance.now() - this.#begun < forMs) {
      const nth = this.#next++;
      if (perSecond !== undefined) {
        const early = this.#begun + (nth * 1000) / perSecond - performance.now();
        if (early > 0) await sleep(early);
      }
      await this.#ask(nth);
    }
  }

  #ask(nth: number): Promise<void> {
    const { url, path, headers = {}, body = this.#order.method === 'GET' ? '' : NUMBERS } = this.#order;
    const { method = body === '' ? 'GET' : 'POST' } = this.#order;
    const user = this.#users > 0 ? nth % this.#users : -1;
    const all: Record<string, string> = { ...headers };
    if (body !== '') {
      all['content-type'] ??= 'application/json';
      all['content-length'] = String(Buffer.byteLength(body));
    }
    if (user >= 0) all['cookie'] = `theme=dark; user=u${user}`;
    const start = performance.now();
    return new Promise(resolve => {
      const failed = (error: NodeJS.ErrnoException) => {
        this.#bump(this.#delivery.statuses, error.code ?? error.message);
        this.#delivery.requests += 1;
        resolve();
      };
      const call = request(
        url,
        {
          ...(path === undefined ? {} : { path }),
          method,
          agent: this.#agent,
          headers: all,
          timeout: TIMEOUT_MS,
        },
        response => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', failed);
          response.on('end', () => {
            this.#latencies.push(performance.now() - start);
            this.#answered(
              response.statusCode ?? 0,
              response.headers as Record<string, string>,
              chunks,
              user,
            );
            resolve();
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error('timeout')));
      call.on('error', failed);
      call.end(body);
    });
  }

  #answered(status: number, headers: Record<string, string>, chunks: Buffer[], user: number): void {
    const { statuses, answeredBy, reasons, byUser, moves, answers } = this.#delivery;
    this.#delivery.requests += 1;
    this.#bump(statuses, String(status));
    const { 'x-answered-by': by, 'l5d-err': error } = headers;
    if (by !== undefined) this.#bump(answeredBy, by);
    if (error !== undefined) this.#bump(reasons, error.split(/%3A|:/, 1)[0] ?? '');
    if (user >= 0 && by !== undefined) {
      const [before, now] = [versionOf(byUser[user] ?? ''), versionOf(by)];
      if (before !== '' && before !== now) this.#bump(moves, `${before} → ${now}`);
      byUser[user] = by;
    }
    if (answers.length < KEPT_ANSWERS)
      answers.push({ status, headers, body: Buffer.concat(chunks).toString() });
  }

  #bump(counts: Record<string, number>, key: string): void {
    counts[key] = (counts[key] ?? 0) + 1;
  }
}

/** `division-1/v1` → `v1` */
function versionOf(answerer: string): string {
  return answerer.slice(answerer.indexOf('/') + 1);
}

interface Conversation {
  url: string;
  messages: string[];
}

/** Says each message to a WebSocket server and hears the answer, one after the other. */
async function converse({ url, messages }: Conversation): Promise<string[]> {
  const socket = new WebSocket(url);
  const heard = (): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.onmessage = event => resolve(String(event.data));
      socket.onerror = event => reject(new Error((event as ErrorEvent).message ?? 'the handshake failed'));
      socket.onclose = event => reject(new Error(`closed: ${event.code}`));
    });
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = event => reject(new Error((event as ErrorEvent).message ?? 'the handshake failed'));
  });
  const answers: string[] = [];
  for (const message of messages) {
    const answer = heard();
    socket.send(message);
    answers.push(await answer);
  }
  const closed = new Promise<string>(resolve => {
    socket.onclose = event => resolve(`closed ${event.code}`);
  });
  socket.close(1000);
  answers.push(await closed);
  return answers;
}

/** By name; of those without one only the last is known. */
const trips = new Map<string | undefined, Trip>();

async function carryOut(kind: string | undefined, order: unknown): Promise<unknown> {
  if (kind === '/websocket') return converse(order as Conversation);
  // Loaded by those only who need it.
  if (kind === '/grpc') return (await import('./grpc/trip.ts')).carryOut(order as GrpcOrder);
  const { name } = order as Order;
  if (kind === '/stop') return trips.get(name)?.stop();
  const trip = new Trip(order as Order);
  trips.set(name, trip);
  return trip.run();
}

createServer((incoming, response) => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_ORDER_BYTES) chunks.push(chunk);
  });
  incoming.on('end', async () => {
    try {
      const order = JSON.parse(Buffer.concat(chunks).toString());
      const result = await carryOut(incoming.url, order);
      response.end(JSON.stringify(result ?? null));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
}).listen(process.env['ORDERS'], () => console.log('takes orders'));
process.once('SIGTERM', () => process.exit(0));
