/** Small HTTP requests of the demo to the mesh's own pages and to the applications' counters. */

import { request } from 'node:http';
import { MeshError } from '#base/errors.ts';

const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 16 << 20;

/** Where a request goes: a unix socket, or an address and port. */
export type Place = { socketPath: string } | { host: string; port: number };

export interface Answer {
  status: number;
  body: string;
}

/** Rejects if there is no answer within 5 s, or the given time; any status is an answer. */
export function ask(
  place: Place,
  path: string,
  { method = 'GET', body = '', type = 'text/plain', timeoutMs = TIMEOUT_MS } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers =
      method === 'GET' ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const call = request({ ...place, path, method, agent: false, headers }, response => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    call.on('error', reject);
    call.end(body);
  });
}

/** As {@link ask}, but anything else than 2xx is thrown. */
export async function mustAsk(...arguments_: Parameters<typeof ask>): Promise<string> {
  const { status, body } = await ask(...arguments_);
  if (status >= 200 && status < 300) return body;
  const [, path, { method = 'GET' } = {}] = arguments_;
  throw new MeshError('NM_DEMO_HTTP', `${method} ${path}: ${status} ${body.slice(0, 500)}`, { by: 'mesh' });
}
