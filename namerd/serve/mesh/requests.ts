/** Single requests: reading a small JSON body in time, answering with JSON, and the status of each refusal. */

import type { ServerHttp2Stream } from 'node:http2';
import { InvariantError, MeshError } from '#base/errors.ts';
import { CaError, CaRefusal, type RefusalCode } from '../../ca/index.ts';
import { MeshRefusal } from './errors.ts';

/** A certificate request has 500 bytes. */
const MAX_BODY = 64 * 1024;
/** Bytes of all bodies that are being read. A fleet that starts has 60,000 requests of 500 bytes under way. */
const MAX_HELD = 64 * 1024 * 1024;
const BODY_DEADLINE_MS = 10_000;

const STATUS: Readonly<Record<RefusalCode, number>> = {
  NM_CA_BAD_REQUEST: 400,
  NM_CA_BAD_CSR: 400,
  NM_CA_KEY_TYPE: 400,
  NM_CA_BAD_IDENTITY: 400,
  NM_CA_TOKEN: 401,
  NM_CA_NODE_UNKNOWN: 403,
  NM_CA_TRUST_DOMAIN: 403,
  NM_CA_NOT_ON_NODE: 403,
  NM_CA_RATE: 429,
  NM_CA_BUSY: 503,
};

/** Reads the bodies of all requests, and knows how much of them it holds: joining needs no certificate. */
export class Bodies {
  #held = 0;

  /** @throws MeshRefusal NM_MESH_BODY, NM_MESH_LIMIT */
  read<T extends object>(stream: ServerHttp2Stream): Promise<T> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const settle = (act: () => void) => {
        stream.setTimeout(0);
        this.#held -= bytes;
        bytes = 0;
        act();
      };
      const fail = (status: number, why: string) =>
        settle(() => reject(new MeshRefusal('NM_MESH_BODY', status, why)));
      stream.setTimeout(BODY_DEADLINE_MS, () => fail(408, `no complete body within ${BODY_DEADLINE_MS} ms`));
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        this.#held += chunk.length;
        if (bytes > MAX_BODY) {
          stream.pause();
          fail(413, `the body is longer than ${MAX_BODY} bytes`);
        } else if (this.#held > MAX_HELD) {
          stream.pause();
          settle(() =>
            reject(new MeshRefusal('NM_MESH_LIMIT', 503, 'too many requests at once', { by: 'mesh' })),
          );
        } else chunks.push(chunk);
      });
      stream.once('close', () => fail(400, 'the body is not complete'));
      stream.once('end', () => {
        const value = parse(Buffer.concat(chunks));
        if (typeof value !== 'object' || value === null) fail(400, 'the body is no JSON object');
        else settle(() => resolve(value as T));
      });
    });
  }
}

/** Undefined when it is no JSON. The body may hold a token: its text stays out of every message. */
function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Whoever gave up meanwhile gets nothing: a stream is closed before it is destroyed, and throws in between. */
export function answer(stream: ServerHttp2Stream, status: number, body: unknown): void {
  if (stream.closed || stream.destroyed || stream.headersSent) return;
  stream.respond({ ':status': status, 'content-type': 'application/json' });
  stream.end(`${JSON.stringify(body)}\n`);
}

export function refuse(stream: ServerHttp2Stream, error: unknown): void {
  const known = error instanceof MeshError ? error : new InvariantError('the request failed unexpectedly');
  // Causes may quote what the caller sent.
  const { cause: _, ...body } = known.toJSON();
  answer(stream, statusOf(known), body);
}

function statusOf(error: MeshError): number {
  if (error instanceof MeshRefusal) return error.status;
  if (error instanceof CaRefusal) return STATUS[error.code];
  if (error instanceof CaError) return 503;
  return error.by === 'client' ? 401 : 500;
}
