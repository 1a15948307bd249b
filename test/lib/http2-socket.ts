/** Our HTTP/2 on a real socket, with node:http2 at the other end: adapters for the interoperability tests. */

import { createHash, type Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  type ConnectionEvents,
  H2Connection,
  type H2Options,
  type H2Stream,
  type Header,
  type StreamEvents,
} from '../../node-proxy/http2/index.ts';

export function attach(
  socket: Socket,
  role: 'client' | 'server',
  events: ConnectionEvents,
  options: Partial<H2Options> = {},
): H2Connection {
  const connection = new H2Connection({
    role,
    events,
    transport: {
      write: chunk => socket.write(chunk),
      writev: chunks => {
        socket.cork();
        for (const chunk of chunks) socket.write(chunk);
        socket.uncork();
        return !socket.writableNeedDrain;
      },
      end: () => socket.destroySoon(),
      destroy: () => socket.destroy(),
    },
    ...options,
  });
  let failure: Error | undefined;
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => connection.receive(chunk));
  socket.on('drain', () => connection.drained());
  socket.on('error', error => {
    failure = error;
  });
  socket.on('close', () => connection.transportEnded(failure));
  return connection;
}

/** Client events of which only readiness and the end matter. */
export class Waiting implements ConnectionEvents {
  readonly ready = Promise.withResolvers<void>();
  readonly closed = Promise.withResolvers<Error | undefined>();
  readonly goaway = Promise.withResolvers<number>();
  readonly pong = Promise.withResolvers<void>();
  onStream?: (stream: H2Stream, headers: readonly Header[], endStream: boolean) => StreamEvents;

  constructor(onStream?: (stream: H2Stream, headers: readonly Header[], endStream: boolean) => StreamEvents) {
    if (onStream !== undefined) this.onStream = onStream;
  }

  onReady(): void {
    this.ready.resolve();
  }

  onGoaway(code: number): void {
    this.goaway.resolve(code);
  }

  onClosed(error: Error | undefined): void {
    this.closed.resolve(error);
  }

  onPong(): void {
    this.pong.resolve();
  }
}

/** Counts and hashes what comes, and sends what it is told to with backpressure. */
export class Bulk implements StreamEvents {
  readonly hash: Hash = createHash('sha1');
  bytes = 0;
  stream: H2Stream | undefined;
  readonly headers = Promise.withResolvers<readonly Header[]>();
  readonly ended = Promise.withResolvers<void>();
  readonly reset = Promise.withResolvers<number>();
  #source: Iterator<Buffer> | undefined;

  onHeaders(headers: readonly Header[]): void {
    this.headers.resolve(headers);
  }

  onData(chunk: Buffer): void {
    this.hash.update(chunk);
    this.bytes += chunk.length;
    this.stream?.consumed(chunk.length);
  }

  onEnd(): void {
    this.ended.resolve();
  }

  onReset(code: number): void {
    this.reset.resolve(code);
    this.ended.reject(new Error(`reset with ${code}`));
    this.headers.reject(new Error(`reset with ${code}`));
    this.ended.promise.catch(() => {});
    this.headers.promise.catch(() => {});
  }

  onDrain(): void {
    this.#pour();
  }

  /** Sends all chunks, then END_STREAM. */
  send(source: Iterator<Buffer>): void {
    this.#source = source;
    this.#pour();
  }

  #pour(): void {
    if (this.#source === undefined) return;
    for (;;) {
      const { value, done } = this.#source.next();
      if (done) {
        this.#source = undefined;
        this.stream?.end();
        return;
      }
      if (!this.stream?.write(value)) return;
    }
  }
}

/** Chunks of many sizes, `total` bytes, the same for the same seed. */
export function* chunks(total: number, seed: number): Generator<Buffer> {
  const block = Buffer.alloc(256 * 1024);
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  for (let i = 0; i < block.length; i += 4) block.writeUInt32LE(next(), i);
  for (let left = total; left > 0; ) {
    const kind = next() >>> 16;
    const size = Math.min(left, kind % 4 === 0 ? 1 + (kind % 200) : 1 + ((kind * 7) % 150_000));
    const from = next() % (block.length - size);
    left -= size;
    yield block.subarray(from, from + size);
  }
}

export function digestOf(source: Iterable<Buffer>): string {
  const hash = createHash('sha1');
  for (const chunk of source) hash.update(chunk);
  return hash.digest('hex');
}
