/** Single requests: reading a small JSON body in time, answering with JSON, and the status of each refusal. */

import type { ServerHttp2Stream } from 'node:http2';
import { InvariantError, MeshError } from '#base/errors.ts';
import { CaError, CaRefusal, type RefusalCode } from '../../ca/index.ts';
import { MeshRefusal } from './errors.ts';

/** A certificate request has 500 bytes. */
const MAX_BODY = 64 * 1024;
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

/** @throws MeshRefusal NM_MESH_BODY */
export function readBody<T extends object>(stream: ServerHttp2Stream): Promise<T> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (status: number, why: string) => reject(new MeshRefusal('NM_MESH_BODY', status, why));
    stream.setTimeout(BODY_DEADLINE_MS, () => fail(408, `no complete body within ${BODY_DEADLINE_MS} ms`));
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY) {
        stream.pause();
        return fail(413, `the body is longer than ${MAX_BODY} bytes`);
      }
      chunks.push(chunk);
    });
    stream.once('close', () => fail(400, 'the body is not complete'));
    stream.once('end', () => {
      stream.setTimeout(0);
      try {
        const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
        if (typeof value !== 'object' || value === null) fail(400, 'the body is no JSON object');
        else resolve(value as T);
      } catch {
        // The body may hold a token: its text stays out of the message.
        fail(400, 'the body is no JSON');
      }
    });
  });
}

export function answer(stream: ServerHttp2Stream, status: number, body: unknown): void {
  if (stream.destroyed || stream.headersSent) return;
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
