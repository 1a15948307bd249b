/** Two H2Connections joined in memory, and users that write down what happens to them. */

import {
  type ConnectionEvents,
  H2Connection,
  type H2Options,
  type H2Stream,
  type H2Transport,
  type Header,
  type ResetBy,
  type StreamEvents,
} from '../../node-proxy/http2/index.ts';

export const CONNECT: readonly Header[] = [
  [':method', 'CONNECT'],
  [':authority', '10.0.0.1:80'],
];

/** What a stream's user saw. Consumes at once unless told otherwise. */
export class Recorder implements StreamEvents {
  stream: H2Stream | undefined;
  readonly headers: (readonly Header[])[] = [];
  readonly chunks: Buffer[] = [];
  ends = 0;
  resets: [code: number, by: ResetBy][] = [];
  drains = 0;
  consume = true;
  onDrained: () => void = () => {};
  onEnded: () => void = () => {};

  onHeaders(headers: readonly Header[]): void {
    this.headers.push(headers);
  }

  onData(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk));
    if (this.consume) this.stream?.consumed(chunk.length);
  }

  onEnd(): void {
    this.ends += 1;
    this.onEnded();
  }

  onReset(code: number, by: ResetBy): void {
    this.resets.push([code, by]);
  }

  onDrain(): void {
    this.drains += 1;
    this.onDrained();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export class Side implements ConnectionEvents {
  readonly connection: H2Connection;
  readonly wire = new Wire();
  /** Streams of the peer, by id. */
  readonly accepted = new Map<number, Recorder>();
  readonly requests: (readonly Header[])[] = [];
  ready = 0;
  pongs = 0;
  goaways: [code: number, last: number][] = [];
  closed: (Error | undefined)[] = [];
  /** What a server does with a request; default: answer 200. */
  accept: (recorder: Recorder, headers: readonly Header[]) => void = recorder =>
    recorder.stream?.respond([[':status', '200']]);

  constructor(role: 'client' | 'server', options: Partial<H2Options> = {}) {
    this.connection = new H2Connection({
      role,
      transport: this.wire,
      events: this,
      schedule: flush => this.wire.flushes.push(flush),
      now: () => 0,
      ...options,
    });
  }

  open(headers: readonly Header[] = CONNECT, endStream = false): Recorder {
    const recorder = new Recorder();
    recorder.stream = this.connection.request(headers, recorder, endStream);
    return recorder;
  }

  onReady(): void {
    this.ready += 1;
  }

  onStream(stream: H2Stream, headers: readonly Header[]): StreamEvents {
    const recorder = new Recorder();
    recorder.stream = stream;
    this.accepted.set(stream.id, recorder);
    this.requests.push(headers);
    this.accept(recorder, headers);
    return recorder;
  }

  onGoaway(code: number, last: number): void {
    this.goaways.push([code, last]);
  }

  onClosed(error: Error | undefined): void {
    this.closed.push(error);
  }

  onPong(): void {
    this.pongs += 1;
  }
}

/** A transport that keeps what was written until somebody takes it. */
export class Wire implements H2Transport {
  readonly flushes: (() => void)[] = [];
  written: Buffer[] = [];
  bytes = 0;
  ended = false;
  destroyed = false;
  /** Says false to writes once so many bytes are kept. */
  capacity = Number.POSITIVE_INFINITY;

  write(chunk: Buffer): boolean {
    this.written.push(chunk);
    this.bytes += chunk.length;
    return this.bytes < this.capacity;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** Ends the turn: what was to be flushed is, and everything written is taken off. */
  take(): Buffer {
    for (const flush of this.flushes.splice(0)) flush();
    const all = Buffer.concat(this.written);
    this.written = [];
    this.bytes = 0;
    return all;
  }
}

export class Pair {
  readonly client: Side;
  readonly server: Side;

  constructor(options: { client?: Partial<H2Options>; server?: Partial<H2Options> } = {}) {
    this.client = new Side('client', options.client);
    this.server = new Side('server', options.server);
  }

  /** Carries bytes back and forth until neither side has anything to say. */
  settle(): this {
    while (this.carry(this.client, this.server) + this.carry(this.server, this.client) > 0);
    return this;
  }

  /** One turn of one direction. @returns the number of bytes moved. */
  carry(from: Side, to: Side): number {
    const bytes = from.wire.take();
    if (bytes.length > 0) to.connection.receive(bytes);
    if (from.wire.ended || from.wire.destroyed) to.connection.transportEnded();
    if (Number.isFinite(from.wire.capacity)) from.connection.drained();
    return bytes.length;
  }
}
