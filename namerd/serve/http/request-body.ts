/** The whole body of a request as text, up to a limit. */

import type { IncomingMessage } from 'node:http';
import { HttpError } from './exchange.ts';

export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** @throws HttpError 400 (cut off, not UTF-8), 413 (longer than MAX_BODY_BYTES) */
export async function readText(incoming: IncomingMessage): Promise<string> {
  const bytes = await readBytes(incoming);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, 'the body is not UTF-8');
  }
}

function readBytes(incoming: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLong = () => reject(new HttpError(413, `the body is longer than ${MAX_BODY_BYTES} bytes`));
    if (Number(incoming.headers['content-length'] ?? 0) > MAX_BODY_BYTES) tooLong();
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      // Read on without keeping it: an answer to a client that is still sending would be lost otherwise.
      if (bytes > MAX_BODY_BYTES) {
        chunks.length = 0;
        tooLong();
      } else chunks.push(chunk);
    });
    incoming.on('end', () => resolve(Buffer.concat(chunks)));
    incoming.on('error', error => reject(new HttpError(400, `the body was cut off: ${error.message}`)));
    incoming.on('close', () => reject(new HttpError(400, 'the body was cut off')));
  });
}
