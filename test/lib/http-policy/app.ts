/**
 * An application that reads requests strictly and answers what a test says, byte by byte; it remembers every byte
 * that reached it.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Http1Error, RequestParser } from '../../../node-proxy/http1/index.ts';

export interface AppRequest {
  method: string;
  target: string;
  host: string;
  head: string;
  header(name: string): string | undefined;
  /** Without the framing of chunks; complete once `done`. */
  body: string;
  done: boolean;
  connection: AppConnection;
}

/** Called at the end of each request's head, or of its body. */
export interface AppBehaviour {
  head?(request: AppRequest): void;
  request?(request: AppRequest): void;
  connected?(connection: AppConnection): void;
}

export class AppConnection {
  readonly socket: Socket;
  readonly requests: AppRequest[] = [];
  /** Why what came was no request. */
  problem: string | undefined;
  ended = false;
  closed = false;
  error: string | undefined;
  bytes = 0;
  /** Reads no HTTP any more: gets what comes. */
  raw: ((chunk: Buffer) => void) | undefined;
  readonly #parser = new RequestParser();
  readonly #app: App;
  #request: AppRequest | undefined;

  constructor(app: App, socket: Socket) {
    this.#app = app;
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('end', () => {
      this.ended = true;
      app.told();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.on('close', () => {
      this.closed = true;
      app.told();
    });
  }

  send(text: string | Buffer): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  #data(chunk: Buffer): void {
    this.bytes += chunk.length;
    try {
      this.#read(chunk);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.problem = error.reason;
      this.raw = () => {};
    }
    this.#app.told();
  }

  #read(chunk: Buffer): void {
    const parser = this.#parser;
    for (let at = 0; at < chunk.length; ) {
      if (this.raw !== undefined) return this.raw(chunk.subarray(at));
      if (this.#request === undefined) {
        at = parser.readHead(chunk, at);
        if (at < 0) return;
        this.#begin();
      }
      const request = this.#request as AppRequest | undefined;
      if (request === undefined || this.raw !== undefined) continue;
      const pieces: number[] = [];
      at = parser.readBody(chunk, at, pieces);
      for (let i = 0; i < pieces.length; i += 2)
        request.body += chunk.toString('latin1', pieces[i], pieces[i + 1]);
      if (!parser.done) return;
      request.done = true;
      this.#request = undefined;
      parser.next();
      this.#app.behaviour.request?.(request);
    }
  }

  #begin(): void {
    const { head } = this.#parser;
    const fields = new Map<string, string>();
    for (let i = 0; i < head.count; i++) {
      const name = head.nameAt(i).toLowerCase();
      const before = fields.get(name);
      fields.set(name, before === undefined ? head.valueAt(i) : `${before}, ${head.valueAt(i)}`);
    }
    const request: AppRequest = {
      method: head.method,
      target: head.target,
      host: head.host,
      head: head.text,
      header: name => fields.get(name),
      body: '',
      done: false,
      connection: this,
    };
    this.#request = request;
    this.requests.push(request);
    this.#app.requests.push(request);
    this.#app.behaviour.head?.(request);
  }
}

export class App {
  readonly requests: AppRequest[] = [];
  readonly connections: AppConnection[] = [];
  behaviour: AppBehaviour;
  readonly #server: Server;
  readonly #waiters = new Set<() => void>();

  private constructor(behaviour: AppBehaviour) {
    this.behaviour = behaviour;
    this.#server = createServer({ allowHalfOpen: true }, socket => {
      const connection = new AppConnection(this, socket);
      this.connections.push(connection);
      this.behaviour.connected?.(connection);
      this.told();
    });
  }

  static async listen(behaviour: AppBehaviour): Promise<App> {
    const app = new App(behaviour);
    app.#server.listen(0, '127.0.0.1');
    await once(app.#server, 'listening');
    return app;
  }

  /** Answers every request, when it is complete, with 200 and `<method> <target> <body>`. */
  static echo(): Promise<App> {
    return App.listen({
      request: ({ method, target, body, connection }) =>
        connection.send(ok(method === 'HEAD' ? '' : `${method} ${target} ${body}`)),
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get open(): number {
    return this.connections.filter(({ closed }) => !closed).length;
  }

  /** All bytes that ever came. */
  get bytes(): number {
    return this.connections.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** @internal */
  told(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  async until(enough: (app: this) => boolean): Promise<void> {
    while (!enough(this)) {
      await new Promise<void>(resolve => {
        const waiter = () => {
          this.#waiters.delete(waiter);
          resolve();
        };
        this.#waiters.add(waiter);
      });
    }
  }

  /** Nobody listens any more. */
  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function ok(body: string, ...fields: string[]): string {
  return reply(200, body, ...fields);
}

export function reply(status: number, body: string, ...fields: string[]): string {
  return `${[`HTTP/1.1 ${status} Said`, `Content-Length: ${body.length}`, ...fields].join('\r\n')}\r\n\r\n${body}`;
}
