/** HTTP requests into a network namespace: the pages of namerd and of the proxies, as somebody there sees them. */

import { request } from 'node:http';
import { parseMetrics, type Sample } from '../../../deploy/demo/mesh/metrics.ts';
import type { TestNetns } from '../../lib/netns.ts';

export interface Page {
  status: number;
  body: string;
}

/** An HTTP server inside a namespace. */
export class Site {
  readonly #ns: TestNetns;
  readonly #ip: string;
  readonly #port: number;

  constructor(ns: TestNetns, ip: string, port: number) {
    this.#ns = ns;
    this.#ip = ip;
    this.#port = port;
  }

  async ask(path: string, { method = 'GET', body = '', type = 'application/dtab' } = {}): Promise<Page> {
    const socket = await this.#ns.connect(this.#ip, this.#port);
    const { promise, resolve, reject } = Promise.withResolvers<Page>();
    const headers =
      method === 'GET' ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const outgoing = request({ createConnection: () => socket, path, method, headers }, incoming => {
      let text = '';
      incoming.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: text }));
      incoming.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
    try {
      return await promise;
    } finally {
      socket.destroy();
    }
  }

  async json(path: string): Promise<Record<string, unknown>> {
    return JSON.parse((await this.ask(path)).body) as Record<string, unknown>;
  }

  async metrics(): Promise<Sample[]> {
    return parseMetrics((await this.ask('/metrics')).body);
  }
}
