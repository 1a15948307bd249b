/** The same bytes through Node's own HTTP/1.1 (llhttp, strict), in memory: what it takes them for. */

import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';

export interface NodeMessage {
  /** Method and target as sent, or the status. */
  start: string;
  fields: [string, string][];
  body: string;
  complete: boolean;
}

export interface NodeReading {
  messages: NodeMessage[];
  /** Code of the parser's error. */
  error: string | undefined;
}

const HEADER_BYTES = 131_072;

/** Reads requests one conversation after the other. */
export class NodeServerReader {
  readonly #server: Server;
  #reading: NodeReading = { messages: [], error: undefined };

  constructor() {
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES, keepAliveTimeout: 0 });
    // Node itself limits the length of a chunk's extensions and nothing else that we allow.
    this.#server.maxHeadersCount = 0;
    const answer = (incoming: IncomingMessage, response: { end(): void }) => {
      collect(incoming, `${incoming.method} ${incoming.url}`, this.#reading, () => response.end());
    };
    this.#server.on('request', answer);
    this.#server.on('checkContinue', answer);
    this.#server.on('checkExpectation', answer);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      this.#reading.error = error.code ?? error.message;
      socket.destroy();
    });
  }

  /** Ends when the server has ended the connection, as it does once its input has ended. */
  async read(text: string): Promise<NodeReading> {
    const reading: NodeReading = { messages: [], error: undefined };
    this.#reading = reading;
    const [near, far] = duplexPair();
    this.#server.emit('connection', far);
    await conversation(near, far, text);
    return reading;
  }
}

/** Reads the response to one request. @param method GET or HEAD. */
export async function readByNodeClient(text: string, method: string): Promise<NodeReading> {
  const reading: NodeReading = { messages: [], error: undefined };
  const [near, far] = duplexPair();
  const outgoing = request({
    method,
    createConnection: () => far as never,
    maxHeaderSize: HEADER_BYTES,
    headers: { host: 'a' },
  });
  outgoing.maxHeadersCount = 0;
  outgoing.on('information', ({ statusCode, rawHeaders }) =>
    reading.messages.push({
      start: String(statusCode),
      fields: pairsOf(rawHeaders),
      body: '',
      complete: true,
    }),
  );
  outgoing.on('response', incoming => collect(incoming, String(incoming.statusCode), reading, () => {}));
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    reading.error ??= error.code ?? error.message;
  });
  outgoing.end();
  await conversation(near, far, text);
  return reading;
}

function collect(incoming: IncomingMessage, start: string, reading: NodeReading, done: () => void): void {
  const message: NodeMessage = { start, fields: pairsOf(incoming.rawHeaders), body: '', complete: false };
  reading.messages.push(message);
  incoming.setEncoding('latin1');
  incoming.on('data', (text: string) => {
    message.body += text;
  });
  incoming.on('end', () => {
    message.complete = incoming.complete;
    done();
  });
  incoming.on('error', () => {});
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index]!, raw[2 * index + 1]!]);
}

async function conversation(near: Duplex, far: Duplex, text: string): Promise<void> {
  const closed = new Promise<void>(resolve => far.once('close', resolve));
  near.on('error', () => {});
  near.resume();
  near.end(Buffer.from(text, 'latin1'));
  near.once('end', () => far.destroy());
  await closed;
}
