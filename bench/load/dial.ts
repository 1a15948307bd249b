/** Client connections of the generator. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Target } from './jobs.ts';

/** Connections opened at once, so that no backlog overflows. */
const TOGETHER = 16;

/** A connection that waits for its owner to read it. */
export async function dial({ ip, port }: Target): Promise<Socket> {
  const socket = connect({ host: ip, port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** A connection whose bytes all go through one buffer: what `read` is given holds until it returns. */
export interface Line {
  socket: Socket;
  read: (chunk: Buffer) => void;
}

const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024);

/** @param lost called when one breaks, ends, or `read` throws. */
export async function dialLines(
  target: Target,
  count: number,
  lost: (error: unknown) => void,
): Promise<Line[]> {
  const lines: Line[] = [];
  while (lines.length < count)
    lines.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(TOGETHER, count - lines.length) }, () => dialLine(target, lost)),
      )),
    );
  return lines;
}

async function dialLine({ ip, port }: Target, lost: (error: unknown) => void): Promise<Line> {
  let read: Line['read'] = () => {};
  const callback = (bytes: number) => {
    try {
      read(READ_BUFFER.subarray(0, bytes));
    } catch (error) {
      lost(error);
    }
    return true;
  };
  const socket = connect({ host: ip, port, noDelay: true, onread: { buffer: READ_BUFFER, callback } });
  await once(socket, 'connect');
  guard(socket, lost);
  return {
    socket,
    get read() {
      return read;
    },
    set read(reader) {
      read = reader;
    },
  };
}

/** Calls `lost` if the connection ends or breaks before {@link release}. */
export function guard(socket: Socket, lost: (error: Error) => void): void {
  socket.on('error', lost);
  socket.on('close', () => lost(new Error('the connection was closed by the other side')));
}

export function release(sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    socket.removeAllListeners('close');
    socket.destroy();
  }
}
