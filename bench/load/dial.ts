/** Client connections of the generator. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Target } from './jobs.ts';

/** A connection that waits for its owner to read it. */
export async function dial({ ip, port }: Target): Promise<Socket> {
  const socket = connect({ host: ip, port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** `count` connections, opened a few at a time so that no backlog overflows. */
export async function dialMany(target: Target, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const together = 16;
  while (sockets.length < count) {
    const next = Math.min(together, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: next }, () => dial(target)))));
  }
  return sockets;
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
