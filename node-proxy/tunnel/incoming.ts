/**
 * A connection that a pod's listener has accepted and nobody has read from yet: either a socket of this thread, or
 * a descriptor that another thread handed over, whose socket is made when it is known how it is to be read.
 */

import { Socket } from 'node:net';
import { type Endpoint as Address, canonicalIp } from '#base/net.ts';
import { dupFd } from '../kernel/index.ts';
import { fdOf, KEEP_ALIVE_MS, originalOf, type SocketReader } from './accept.ts';
import type { HandedConnection, HandOver } from './layer7.ts';
import { resetSocket } from './relay/side.ts';

export interface Incoming {
  readonly source: Address;
  /** Where it wanted to go, if it was redirected. */
  readonly original: Address | undefined;
  /** Its socket, paused unless a reader is given. Once. */
  open(reader?: SocketReader): Socket;
  /** Ends it with RST. */
  reset(): void;
  /** Gives it to another thread; here it is over. */
  handOver(to: HandOver, door: HandedConnection['door'], pod: string): void;
}

export class AcceptedSocket implements Incoming {
  readonly source: Address;
  readonly original: Address | undefined;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.source = { ip: canonicalIp(socket.remoteAddress ?? '') ?? '', port: socket.remotePort ?? 0 };
    this.original = originalOf(socket);
  }

  open(): Socket {
    return this.#socket;
  }

  reset(): void {
    resetSocket(this.#socket);
  }

  handOver(to: HandOver, door: HandedConnection['door'], pod: string): void {
    const fd = fdOf(this.#socket);
    // Gone meanwhile: there is nobody to serve.
    if (fd === undefined) return;
    const copy = dupFd(fd);
    this.#socket.on('error', () => {});
    // Closes this thread's descriptor only; the connection lives on in the copy.
    this.#socket.destroy();
    to(copy, { door, pod, source: this.source, original: this.original });
  }
}

export class HandedSocket implements Incoming {
  readonly source: Address;
  readonly original: Address | undefined;
  #fd: number;
  #socket: Socket | undefined;

  /** @param fd this object's own. */
  constructor(fd: number, { source, original }: HandedConnection) {
    this.#fd = fd;
    this.source = source;
    this.original = original;
  }

  open(reader?: SocketReader): Socket {
    const options = {
      fd: this.#fd,
      allowHalfOpen: true,
      ...(reader === undefined ? {} : { onread: reader }),
    };
    const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
    this.#fd = -1;
    this.#socket = socket;
    if (reader === undefined) socket.pause();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  }

  reset(): void {
    resetSocket(this.#socket ?? this.open());
  }

  handOver(to: HandOver, door: HandedConnection['door'], pod: string): void {
    const fd = this.#fd;
    this.#fd = -1;
    to(fd, { door, pod, source: this.source, original: this.original });
  }
}
