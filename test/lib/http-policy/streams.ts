/** Streams of a tunnel without sockets or TLS: two HTTP/2 connections that hand each other their bytes a turn later. */

import {
  H2Connection,
  type H2Stream,
  type H2Transport,
  type Header,
  type StreamEvents,
} from '../../../node-proxy/http2/index.ts';
import { H2_SETTINGS } from '../../../node-proxy/tunnel/hbone/wire.ts';
import { StreamSide } from '../../../node-proxy/tunnel/index.ts';

const CONNECT: readonly Header[] = [
  [':method', 'CONNECT'],
  [':authority', '10.1.0.3:80'],
];
const OK: readonly Header[] = [[':status', '200']];
const NOTHING: StreamEvents = {
  onHeaders: () => {},
  onData: () => {},
  onEnd: () => {},
  onReset: () => {},
  onDrain: () => {},
};

class Pipe implements H2Transport {
  far: H2Connection | undefined;

  write(chunk: Buffer): boolean {
    setImmediate(() => this.far?.receive(Buffer.from(chunk)));
    return true;
  }
  end(): void {
    setImmediate(() => this.far?.transportEnded());
  }
  destroy(): void {
    this.end();
  }
}

export class Streams {
  readonly #client: H2Connection;
  readonly #taken: ((side: StreamSide, answer: () => void) => void)[] = [];

  constructor() {
    const [there, back] = [new Pipe(), new Pipe()];
    const silent = { onReady: () => {}, onGoaway: () => {}, onClosed: () => {} };
    this.#client = new H2Connection({ role: 'client', transport: there, events: silent, ...H2_SETTINGS });
    const onStream = (stream: H2Stream) => {
      const side = new StreamSide(stream);
      this.#taken.shift()?.(side, () => stream.respond(OK));
      return side;
    };
    const events = { ...silent, onStream };
    const server = new H2Connection({ role: 'server', transport: back, events, ...H2_SETTINGS });
    there.far = server;
    back.far = this.#client;
  }

  /** @param taken gets the far side when the stream has come there, and how to answer it. */
  async open(taken: (side: StreamSide, answer: () => void) => void): Promise<StreamSide> {
    while (!this.#client.canOpen) await new Promise(resolve => setImmediate(resolve));
    this.#taken.push(taken);
    return new StreamSide(this.#client.request(CONNECT, NOTHING, false));
  }
}
