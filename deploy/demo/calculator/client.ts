/**
 * How the calculator's programs call each other: one new TCP connection for each call, as the simplest of HTTP
 * clients does, and exact counts of what came of it.
 */

import { createServer, request } from 'node:http';

const TIMEOUT_MS = 10_000;
/** Latencies remembered for percentiles. */
const WINDOW = 200;

/**
 * `ok`: answered with 2xx; `error`: answered with an HTTP error, so the connection worked; everything else is a
 * failed call: the connection was refused, reset or timed out, or the name is unknown.
 */
export type Outcome = 'ok' | 'error' | 'refused' | 'reset' | 'timeout' | 'unreachable';

export interface Counters {
  calls: number;
  outcomes: Partial<Record<Outcome, number>>;
  /** Answers by instance and version, for example `division-1/v1`. */
  answeredBy: Record<string, number>;
  /** Which address of ours the other side saw. */
  seenAs: Record<string, number>;
  /** The last few, in milliseconds, from before connecting to the whole answer. */
  latenciesMs: number[];
  /** What the last failed call failed with. */
  lastFailure: string | undefined;
}

export class CallError extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

export function noCounters(): Counters {
  return { calls: 0, outcomes: {}, answeredBy: {}, seenAs: {}, latenciesMs: [], lastFailure: undefined };
}

export class Client {
  readonly targets: Record<string, Counters> = {};

  /** POSTs two numbers. Throws {@link CallError} unless the answer is 2xx; both are counted under `target`. */
  async call(target: string, url: string, body: { op1: number; op2: number }): Promise<number> {
    const counters = (this.targets[target] ??= noCounters());
    const start = performance.now();
    try {
      const result = await post(url, JSON.stringify(body), counters);
      count(counters, 'ok', performance.now() - start);
      return result;
    } catch (error) {
      const { outcome, message } = asCallError(error);
      if (outcome !== 'error') counters.lastFailure = message;
      count(counters, outcome, performance.now() - start);
      throw error;
    }
  }

  /** Answers the counters as JSON on a unix socket, beside the network; nothing if no path is given. */
  publish(path: string | undefined): void {
    if (path === undefined) return;
    createServer((_, response) => response.end(JSON.stringify(this.targets))).listen(path);
  }
}

function count(counters: Counters, outcome: Outcome, ms: number): void {
  counters.calls += 1;
  counters.outcomes[outcome] = (counters.outcomes[outcome] ?? 0) + 1;
  counters.latenciesMs.push(ms);
  if (counters.latenciesMs.length > WINDOW) counters.latenciesMs.shift();
}

function post(url: string, body: string, { answeredBy, seenAs }: Counters): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request(url, { method: 'POST', agent: false, timeout: TIMEOUT_MS, headers }, response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        bump(answeredBy, response.headers['x-answered-by']);
        bump(seenAs, response.headers['x-caller']);
        const text = Buffer.concat(chunks).toString();
        const ok = response.statusCode !== undefined && response.statusCode < 300;
        if (ok) resolve(Number(text));
        else reject(new CallError('error', `${response.statusCode} ${text}`));
      });
    });
    call.on('timeout', () => call.destroy(new CallError('timeout', `no answer in ${TIMEOUT_MS} ms`)));
    call.on('error', reject);
    call.end(body);
  });
}

function bump(counts: Record<string, number>, key: string | string[] | undefined): void {
  if (typeof key === 'string') counts[key] = (counts[key] ?? 0) + 1;
}

function asCallError(error: unknown): CallError {
  if (error instanceof CallError) return error;
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  if (code === 'ECONNREFUSED') return new CallError('refused', message);
  if (code === 'ETIMEDOUT') return new CallError('timeout', message);
  if (code === 'ECONNRESET' || code === 'EPIPE' || code.startsWith('HPE_'))
    return new CallError('reset', message);
  return new CallError('unreachable', message);
}
