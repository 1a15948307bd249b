/**
 * Asks the node's proxy over its unix socket. One request, one connection, one deadline over all of it: the caller is
 * a short-lived process that a container runtime is waiting for.
 */

import { request } from 'node:http';
import { type Culprit, codeOf, MeshError, messageOf } from '#base/errors.ts';
import {
  isObject,
  MAX_ANSWER_BYTES,
  PATHS,
  type PodAdd,
  type PodAddAnswer,
  type PodCheck,
  type PodDelete,
  type PodGc,
  type StatusAnswer,
} from './requests.ts';

/** Nobody answered: no socket, nobody listening, or not in time. */
export class NodeUnreachable extends MeshError {
  constructor(socket: string, reason: string, next: string, cause?: unknown) {
    super('NM_NODE_UNREACHABLE', `node-proxy at ${socket}: ${reason}`, { by: 'mesh', next, cause });
  }
}

/** node-proxy answered, with a refusal. `code`, `by` and `next` are its own. */
export class NodeRefused extends MeshError {
  /** HTTP status; 503 = worth another try. */
  readonly status: number;

  constructor(status: number, body: unknown) {
    const { code, message, by, next } = isObject(body) ? body : {};
    super(text(code) ?? 'NM_NODE_REFUSED', text(message) ?? `status ${status} without a reason`, {
      by: CULPRITS.find(culprit => culprit === by) ?? 'mesh',
      next: text(next) ?? 'Look into the log of node-proxy on this node.',
    });
    this.status = status;
  }
}

const CULPRITS: readonly Culprit[] = ['client', 'upstream', 'mesh', 'policy', 'config'];

export class NodeClient {
  readonly #socket: string;
  readonly #timeoutMs: number;

  /** @param timeoutMs for each request as a whole, from connecting to the last byte. */
  constructor(socket: string, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws NodeUnreachable or NodeRefused, as all methods here. */
  async add(pod: PodAdd): Promise<PodAddAnswer> {
    const answer = await this.ask('POST', PATHS.add, pod);
    if (answer['enrolled'] === true) return { enrolled: true };
    if (answer['enrolled'] === false)
      return { enrolled: false, reason: text(answer['reason']) ?? 'no reason given' };
    // Silence about the outcome must not pass for success.
    throw new NodeRefused(200, { message: 'the answer does not say whether the pod is enrolled' });
  }

  async delete(pod: PodDelete): Promise<void> {
    await this.ask('POST', PATHS.delete, pod);
  }

  async check(pod: PodCheck): Promise<void> {
    await this.ask('POST', PATHS.check, pod);
  }

  async gc(valid: PodGc): Promise<void> {
    await this.ask('POST', PATHS.gc, valid);
  }

  async status(): Promise<StatusAnswer> {
    const answer = await this.ask('GET', PATHS.status);
    if (answer['ready'] === true) return { ready: true };
    const { blockers } = answer;
    return { ready: false, blockers: Array.isArray(blockers) ? blockers.map(String) : [] };
  }

  /** Any other request of node-proxy's socket. @returns the JSON object of a 2xx answer. */
  ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Record<string, unknown>> {
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    const json = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      json === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) };
    const outgoing = request({ socketPath: this.#socket, method, path, headers, agent: false }, incoming => {
      let received = '';
      incoming.setEncoding('utf8');
      incoming.on('data', chunk => {
        received += chunk;
        if (received.length > MAX_ANSWER_BYTES)
          fail('the answer is too long', 'Is this the socket of node-proxy?');
      });
      incoming.on('error', error => fail(messageOf(error), RESTARTING, error));
      incoming.on('end', () => {
        clearTimeout(timer);
        const parsed = parse(received);
        const status = incoming.statusCode ?? 0;
        if (status < 200 || status > 299) return reject(new NodeRefused(status, parsed));
        if (parsed === undefined)
          return fail('the answer is no JSON object', 'Is this the socket of node-proxy?');
        return resolve(parsed);
      });
    });
    const fail = (reason: string, next: string, cause?: unknown) => {
      clearTimeout(timer);
      reject(new NodeUnreachable(this.#socket, reason, next, cause));
      outgoing.destroy();
    };
    const timer = setTimeout(() => fail(`no answer within ${this.#timeoutMs} ms`, SLOW), this.#timeoutMs);
    outgoing.on('error', error => fail(messageOf(error), adviceFor(codeOf(error)), error));
    outgoing.end(json);
    return promise;
  }
}

const RESTARTING = 'node-proxy may be restarting: see its log on this node.';
const SLOW = 'See the log of node-proxy on this node: it says what it is waiting for.';

function adviceFor(code: string | undefined): string {
  switch (code) {
    case 'ENOENT':
      return 'node-proxy is not running on this node, or listens on another socket: compare the plugin’s "socket" with its configuration.';
    case 'ECONNREFUSED':
      return 'node-proxy has ended without removing its socket: see why it stopped.';
    case 'EACCES':
      return 'The socket may be opened by root only: the runtime must call CNI plugins as root.';
    default:
      return RESTARTING;
  }
}

function parse(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    // Told apart from an answer by the caller.
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
