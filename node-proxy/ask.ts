/** The commands' side of the local API: one request to the running proxy over its unix socket. */

import { request } from 'node:http';
import { type Culprit, MeshError } from '#base/errors.ts';

const TIMEOUT_MS = 60_000;

/** @throws MeshError: the proxy's own error, or why it was not reached. */
export function askLocally(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(
        new MeshError(
          'NM_NO_PROXY',
          `no node-proxy answers on ${socketPath}: ${cause instanceof Error ? cause.message : cause}`,
          {
            by: 'mesh',
            cause,
            next: 'Does it run (`node-proxy run`), with this socket, and are you root?',
          },
        ),
      );
    const outgoing = request({
      socketPath,
      method,
      path,
      timeout: TIMEOUT_MS,
      headers: { 'content-type': 'application/json' },
    });
    outgoing.on('error', fail);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    outgoing.on('response', response => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', fail);
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        try {
          const answer = JSON.parse(text) as { code?: string; message?: string; by?: Culprit; next?: string };
          if (response.statusCode === 200) return resolve(answer);
          const { code = 'NM_LOCAL', message = text, by = 'mesh', next } = answer;
          reject(new MeshError(code, message, { by, ...(next === undefined ? {} : { next }) }));
        } catch (error) {
          fail(error);
        }
      });
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
