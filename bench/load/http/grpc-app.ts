/** The server of the bench's unary call: a message says how many bytes to answer with. */

import type { Socket } from 'node:net';
import {
  encodeHeaders,
  H2Code,
  H2Connection,
  type H2Stream,
  type Header,
  type StreamEvents,
} from '../../../node-proxy/http2/index.ts';
import { GRPC_PATH, MESSAGE_HEAD_BYTES, message } from '../speech/grpc-dialect.ts';

const HEAD = encodeHeaders([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const OK: readonly Header[] = [['grpc-status', '0']];
/** As large as proxies may want it; the clients decide how many there are. */
const STREAMS = 10_000;

const messages = new Map<number, Buffer>();

export function serveGrpc(socket: Socket, first: Buffer): void {
  const connection = new H2Connection({
    role: 'server',
    settings: { maxConcurrentStreams: STREAMS },
    transport: {
      write: chunk => socket.write(chunk),
      end: () => socket.destroySoon(),
      destroy: () => socket.destroy(),
    },
    events: {
      onReady: () => {},
      onStream: (stream, headers) => new Call(stream, headers),
      onGoaway: () => {},
      onClosed: () => socket.destroySoon(),
    },
  });
  socket.on('data', (chunk: Buffer) => connection.receive(chunk));
  socket.on('drain', () => connection.drained());
  socket.on('close', () => connection.transportEnded());
  connection.receive(first);
}

class Call implements StreamEvents {
  readonly #stream: H2Stream;
  readonly #known: boolean;
  #request = Buffer.alloc(0);

  constructor(stream: H2Stream, headers: readonly Header[]) {
    this.#stream = stream;
    this.#known = headers.some(([name, value]) => name === ':path' && value === GRPC_PATH);
  }

  onHeaders(): void {}

  onData(chunk: Buffer): void {
    this.#request = this.#request.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#request, chunk]);
    this.#stream.consumed(chunk.length);
  }

  onEnd(): void {
    if (!this.#known || this.#request.length !== MESSAGE_HEAD_BYTES + 4) {
      this.#stream.reset(H2Code.CANCEL);
      return;
    }
    const bytes = this.#request.readUInt32BE(MESSAGE_HEAD_BYTES);
    let answer = messages.get(bytes);
    if (answer === undefined) messages.set(bytes, (answer = message(Buffer.alloc(bytes, 0x78))));
    this.#stream.respond(HEAD);
    this.#stream.write(answer);
    this.#stream.trailers(OK);
  }

  onReset(): void {}

  onDrain(): void {}
}
