/**
 * What every service of the calculator has: an HTTP server that answers JSON, says who it is and whom it saw,
 * and leaves when told to. It knows nothing of a mesh; the addresses it sees are what a scenario checks.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { behaviourOnOrder } from './behaviour.ts';
import { echo } from './websocket.ts';

/** What a route does with the two numbers of a request. */
export type Operation = (op1: number, op2: number) => number | Promise<number>;

const MAX_BODY_BYTES = 4096;

export interface ServiceOptions {
  name: string;
  port: number;
  operation: Operation;
}

/**
 * Serves until SIGTERM: `POST /NAME` with body `{"op1":4,"op2":2}` → a number; `GET /whoami`; `GET /headers`, which
 * shows the request as it came; and WebSocket on `/echo`.
 */
export function serve({ name, port, operation }: ServiceOptions): void {
  const self = {
    service: name,
    version: process.env['VERSION'] ?? 'v1',
    instance: hostname(),
    pid: process.pid,
    started: new Date().toISOString(),
  };
  const behaviour = behaviourOnOrder(process.env['CONTROL']);

  async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const route = `${request.method} ${request.url?.split('?', 1)[0]}`;
    if (route === 'GET /whoami') return { status: 200, body: { ...self, caller: callerOf(request) } };
    if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
    if (behaviour.status > 0) return { status: behaviour.status, body: { error: 'told to fail' } };
    if (route === 'GET /headers') return { status: 200, body: request.headers };
    if (route !== `POST /${name}`) return { status: 404, body: { error: `no ${route} here` } };
    try {
      const { op1, op2 } = JSON.parse(await bodyOf(request)) as { op1: number; op2: number };
      return { status: 200, body: await operation(op1, op2) };
    } catch (error) {
      return { status: 500, body: { error: String(error) } };
    }
  }

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-answered-by': `${self.instance}/${self.version}`,
        'x-caller': callerOf(request),
      });
      response.end(JSON.stringify(body));
    });
  });
  server.on('upgrade', echo);
  server.listen(port, () => console.log(`${name} listens on ${(server.address() as AddressInfo).port}`));
  process.once('SIGTERM', () => {
    // What was accepted is answered; kept-alive connections without a request are closed.
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

function callerOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > MAX_BODY_BYTES) throw new Error('the body is too long');
  }
  return body;
}
