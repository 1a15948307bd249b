/**
 * The unix socket of the local API: HTTP/1.1 with JSON bodies. Only root may connect (file mode 0600): whoever
 * can use it decides which pod speaks with which identity.
 */

import { randomBytes } from 'node:crypto';
import { renameSync, statSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { MeshError, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { MAX_REQUEST_BYTES, RequestError } from '#cni';
import { BadRequest, type LocalApi } from './local-api.ts';

const MAX_CONNECTIONS = 256;

export interface LocalServer {
  readonly server: Server;
  /** False as soon as another process has taken over the path. */
  isOurs(): boolean;
}

/**
 * Listens under a temporary name and renames it into place: a proxy that replaces another takes the path over in
 * one step, and the old one's end does not delete it.
 */
export async function listenLocally(path: string, api: LocalApi, log: Logger): Promise<LocalServer> {
  const server = createServer((request, response) => void answer(api, log, request, response));
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const temporary = `${path}.${randomBytes(3).toString('hex')}`;
  await rm(temporary, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(temporary, () => resolve());
  });
  await chmod(temporary, 0o600);
  const own = inodeOf(temporary);
  renameSync(temporary, path);
  return { server, isOurs: () => inodeOf(path) === own };
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

async function answer(
  api: LocalApi,
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const route = `${request.method} ${(request.url ?? '/').split('?', 1)[0]}`;
  const startMs = performance.now();
  try {
    const handler = api[route];
    if (handler === undefined) throw new BadRequest(`nothing is at ${route}`);
    const result = await handler(await readBody(request));
    const tookMs = Math.round(performance.now() - startMs);
    log.debug({ route, tookMs }, 'local request');
    send(response, 200, result);
  } catch (error) {
    const known = error instanceof MeshError;
    if (!(error instanceof BadRequest)) log.error({ err: error, route }, 'local request failed');
    const body = known ? error.toJSON() : { code: 'NM_LOCAL', message: messageOf(error), by: 'mesh' };
    send(response, statusOf(error), body);
  }
}

function statusOf(error: unknown): number {
  if (error instanceof BadRequest || error instanceof RequestError) return 400;
  if (!(error instanceof MeshError)) return 500;
  if (error.code === 'NM_NO_SUCH_POD') return 404;
  return error.code === 'NM_NOT_READY' ? 503 : 409;
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (request.method === 'GET') return {};
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_REQUEST_BYTES) throw new BadRequest(`the body is larger than ${MAX_REQUEST_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
  } catch {
    throw new BadRequest('the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new BadRequest('the body is no JSON object');
  return body as Record<string, unknown>;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
