/**
 * A TCP socket as a wire. All sockets of a worker are read into one buffer: what is forwarded as text or in
 * small pieces needs no buffer for each read.
 */

import type { Socket } from 'node:net';
import { resetSocket, type SocketReader } from '../../tunnel/index.ts';
import type { Wire, WireEvents } from './wire.ts';

/** As libuv reads. */
const READ_BYTES = 64 * 1024;
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

export class SocketWire implements Wire {
  readonly ephemeral = true;
  /** To be given to the socket when it is made. */
  readonly reader: SocketReader;
  #socket: Socket | undefined;
  #events: WireEvents | undefined;
  #paused = false;

  constructor() {
    this.reader = {
      buffer: shared,
      callback: (bytes: number) => {
        this.#events?.onData(shared.subarray(0, bytes));
        return !this.#paused;
      },
    };
  }

  /** The socket that was made with the reader; nothing is read before {@link SocketWire.start}. */
  attach(socket: Socket): this {
    this.#socket = socket;
    // 'close' follows every error.
    socket.on('error', ignore);
    socket.pause();
    return this;
  }

  get flushed(): boolean {
    const socket = this.#socket;
    return socket === undefined || socket.destroyed || socket.writableFinished;
  }

  start(events: WireEvents): void {
    const socket = this.#socket as Socket;
    if (socket.destroyed) return events.onClosed(false);
    this.#events = events;
    socket.on('end', () => this.#events?.onEnd());
    socket.on('drain', () => this.#events?.onDrain());
    socket.on('close', () => this.#events?.onClosed(socket.readableEnded && socket.writableFinished));
    socket.resume();
  }

  write(chunk: Buffer): boolean {
    return (this.#socket as Socket).write(chunk);
  }

  writeText(text: string): boolean {
    return (this.#socket as Socket).write(text, 'latin1');
  }

  cork(): void {
    this.#socket?.cork();
  }

  uncork(): void {
    this.#socket?.uncork();
  }

  end(): void {
    this.#socket?.end();
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  reset(): void {
    if (this.#socket !== undefined) resetSocket(this.#socket);
  }
}

function ignore(): void {}
