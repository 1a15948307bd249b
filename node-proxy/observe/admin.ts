/** The admin interface on 9990: readiness, metrics, dumps, log level. Loopback by default, read-only but for the log level. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '#base/errors.ts';
import { LOG_LEVELS, type Logger } from '#base/log.ts';

export interface AdminParts {
  /** By name, with the reason; ready when empty. */
  blockers: () => Record<string, string>;
  /** Prometheus text. */
  metrics: () => Promise<{ contentType: string; text: string }>;
  dump: () => Promise<unknown>;
  log: Logger;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export function createAdmin(parts: AdminParts): Server {
  const routes: Record<string, Handler> = {
    'GET /ready': (_request, response) => {
      const blockers = parts.blockers();
      const ready = Object.keys(blockers).length === 0;
      json(response, ready ? 200 : 503, { ready, blockers });
    },
    'GET /live': (_request, response) => json(response, 200, { live: true }),
    'GET /metrics': async (_request, response) => {
      const { contentType, text } = await parts.metrics();
      response.writeHead(200, { 'content-type': contentType }).end(text);
    },
    'GET /dump': async (_request, response) => json(response, 200, await parts.dump()),
    'GET /logging': (_request, response) =>
      json(response, 200, { level: parts.log.level, levels: LOG_LEVELS }),
    'POST /logging': (request, response) => {
      const level = new URL(request.url ?? '/', 'http://admin').searchParams.get('level') ?? '';
      if (!LOG_LEVELS.some(known => known === level)) {
        return json(response, 400, {
          code: 'NM_BAD_LEVEL',
          message: `'${level}' is not one of ${LOG_LEVELS.join(', ')}`,
        });
      }
      parts.log.level = level;
      json(response, 200, { level });
    },
    'GET /': (_request, response) => json(response, 200, { paths: Object.keys(routes) }),
  };
  const server = createServer((request, response) => void answer(routes, parts.log, request, response));
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 100;
  return server;
}

async function answer(
  routes: Record<string, Handler>,
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const handler = routes[`${method} ${path}`];
  try {
    if (handler !== undefined) return await handler(request, response);
    const known = Object.keys(routes).some(route => route.endsWith(` ${path}`));
    json(response, known ? 405 : 404, {
      code: known ? 'NM_BAD_METHOD' : 'NM_NOT_FOUND',
      message: `${method} ${path}`,
    });
  } catch (error) {
    log.error({ err: error, path }, 'admin request failed');
    if (!response.headersSent) json(response, 500, { code: 'NM_ADMIN', message: messageOf(error) });
    else response.destroy();
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
