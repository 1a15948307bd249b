/** A client that sends what it is told to, valid or not, and keeps every byte that comes back. */

import { once } from 'node:events';
import { Socket } from 'node:net';
import { type ReadMessage, readResponses } from '../http1/read-stream.ts';

export class RawClient {
  readonly socket: Socket;
  /** The server has half-closed. */
  ended = false;
  closed = false;
  /** Code of the socket's error. */
  error: string | undefined;
  bytes = 0;
  #chunks: Buffer[] = [];
  readonly #waiters = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    const told = () => {
      for (const waiter of [...this.#waiters]) waiter();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.bytes += chunk.length;
      told();
    });
    socket.on('end', () => {
      this.ended = true;
      told();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.on('close', () => {
      this.closed = true;
      told();
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = new Socket({ allowHalfOpen: true });
    const client = new RawClient(socket);
    socket.connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return client;
  }

  /** What has come so far, one character per byte. */
  get text(): string {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]?.toString('latin1') ?? '';
  }

  send(text: string | Buffer): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves once `enough` holds; rejects when the connection is closed before. */
  async until(enough: (client: this) => boolean): Promise<string> {
    while (!enough(this)) {
      if (this.closed) throw new Error(`closed (${this.error ?? 'clean'}) after: ${this.text.slice(-500)}`);
      await new Promise<void>(resolve => {
        const waiter = () => {
          this.#waiters.delete(waiter);
          resolve();
        };
        this.#waiters.add(waiter);
      });
    }
    return this.text;
  }

  /** Everything, once the other side has ended or reset. */
  over(): Promise<string> {
    return this.until(({ ended, closed }) => ended || closed);
  }

  /** The first `count` final responses, complete. @param methods of the requests; GET is assumed. */
  async responses(count: number, methods: readonly string[] = []): Promise<ReadMessage[]> {
    let read: ReadMessage[] = [];
    const asked = Array.from({ length: count }, (_, i) => methods[i] ?? 'GET');
    await this.until(() => {
      const { messages, error } = readResponses(this.text, asked);
      if (error !== undefined) throw new Error(`${error} in ${this.text.slice(0, 2_000)}`);
      read = messages.filter(({ start, complete, framing }) => {
        return Number(start) >= 200 && complete && (framing !== 3 || this.ended);
      });
      return read.length >= count;
    });
    return read.slice(0, count);
  }

  async response(method = 'GET'): Promise<ReadMessage> {
    const [response] = await this.responses(1, [method]);
    return response as ReadMessage;
  }

  end(): this {
    this.socket.end();
    return this;
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }
}

export function get(path: string, ...fields: string[]): string {
  return request('GET', path, fields);
}

/** With Content-Length. */
export function post(path: string, body: string, ...fields: string[]): string {
  return `${request('POST', path, [`Content-Length: ${body.length}`, ...fields])}${body}`;
}

export function request(method: string, path: string, fields: readonly string[] = []): string {
  return `${[`${method} ${path} HTTP/1.1`, 'Host: web', ...fields].join('\r\n')}\r\n\r\n`;
}
