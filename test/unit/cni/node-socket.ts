/**
 * A stand-in for node-proxy's unix socket: answers the CNI plugin as a test wants, and remembers what it was asked.
 *
 *   await using node = await NodeSocket.open();
 *   node.answers['/v1/pods/add'] = () => ({ status: 503, body: { code: 'NM_X', message: 'not yet', by: 'mesh' } });
 *   …; node.asked                                // [{ method, path, body }]
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Asked {
  method: string;
  path: string;
  /** Parsed; undefined if there was none. */
  body: unknown;
}

export interface Answer {
  /** Default 200. */
  status?: number;
  /** An object is sent as JSON, a text as it is. */
  body: unknown;
}

/** `hang` never answers, `reset` closes the connection instead of answering. */
export type Answering = (asked: Asked) => Answer | 'hang' | 'reset' | Promise<Answer>;

export class NodeSocket {
  /** Path of the socket. */
  readonly path: string;
  /** By path of the request; replace them as you like. */
  readonly answers: Record<string, Answering> = {
    '/v1/pods/add': () => ({ body: { enrolled: true } }),
    '/v1/pods/delete': () => ({ body: {} }),
    '/v1/pods/check': () => ({ body: {} }),
    '/v1/pods/gc': () => ({ body: {} }),
    '/v1/status': () => ({ body: { ready: true } }),
  };
  /** Oldest first. */
  readonly asked: Asked[] = [];
  readonly #directory: string;
  readonly #server: Server;

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'nm-node-'));
    this.path = join(this.#directory, 'node.sock');
    this.#server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      const { method = '', url: path = '' } = request;
      const asked: Asked = { method, path, body: text === '' ? undefined : JSON.parse(text) };
      this.asked.push(asked);
      const answer = (await this.answers[path]?.(asked)) ?? { status: 404, body: {} };
      if (answer === 'hang') return;
      if (answer === 'reset') request.socket.destroy();
      else {
        const { status = 200, body } = answer;
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(typeof body === 'string' ? body : JSON.stringify(body));
      }
    });
  }

  static async open(): Promise<NodeSocket> {
    const socket = new NodeSocket();
    socket.#server.listen(socket.path);
    await once(socket.#server, 'listening');
    return socket;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    rmSync(this.#directory, { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
