/** HTTP/2 cleartext at both ends by node:http2: servers of a handler, and requests as promises. */

import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type SessionOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface H2Server {
  address: string;
  server: Http2Server;
  sessions: Set<ServerHttp2Session>;
  /** Ends all connections, and takes none. */
  close(): void;
}

export async function h2Server(
  serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  settings: SessionOptions['settings'] = {},
  port = 0,
): Promise<H2Server> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer({ settings });
  server.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    serve(stream as ServerHttp2Stream, headers);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    sessions,
    close: () => {
      server.close();
      for (const session of sessions) session.destroy();
    },
  };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  body: Buffer;
  trailers: IncomingHttpHeaders;
  /** Statuses of interim responses. */
  interim: number[];
  /** Of RST_STREAM; 0 when it ended well. */
  code: number;
}

export class H2Client {
  readonly session: ClientHttp2Session;

  constructor(port: number, settings: SessionOptions['settings'] = {}) {
    this.session = connect(`http://127.0.0.1:${port}`, { settings });
    this.session.on('error', () => {});
  }

  open(headers: OutgoingHttpHeaders, endStream = true): ClientHttp2Stream {
    const stream = this.session.request(headers, { endStream });
    stream.on('error', () => {});
    return stream;
  }

  /** @param body undefined: none. */
  ask(headers: OutgoingHttpHeaders, body?: Buffer | string): Promise<Answer> {
    const stream = this.open(headers, body === undefined);
    if (body !== undefined) stream.end(body);
    return answerOf(stream);
  }

  close(): void {
    this.session.destroy();
  }
}

/** Resolves when the stream is closed, however. */
export function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const answer: Answer = {
    status: 0,
    headers: {},
    body: Buffer.alloc(0),
    trailers: {},
    interim: [],
    code: 0,
  };
  const chunks: Buffer[] = [];
  stream.on('headers', headers => void answer.interim.push(Number(headers[':status'])));
  stream.on('response', headers => {
    answer.headers = headers;
    answer.status = Number(headers[':status']);
  });
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  stream.on('trailers', trailers => {
    answer.trailers = trailers;
  });
  return new Promise(resolve => {
    stream.on('close', () => {
      answer.body = Buffer.concat(chunks);
      answer.code = stream.rstCode;
      resolve(answer);
    });
  });
}

/** What a stream brings, when it has ended. */
export async function bodyOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
