/** What every listener does first with an accepted connection. */

import type { Socket } from 'node:net';
import type { Endpoint } from '#base/net.ts';
import { originalDestination } from '../kernel/index.ts';
import { ConnectionRefused } from './failure.ts';
import type { TunnelLimits } from './limits.ts';
import type { Direction, LocalPod } from './local-pod.ts';

/** A peer that vanished is noticed after this much silence (ztunnel: 180 s). */
export const KEEP_ALIVE_MS = 180_000;

/** How a socket's bytes are read into one buffer for all reads: `onread` of `net.Socket`. */
export interface SocketReader {
  buffer: Uint8Array;
  /** @returns false to stop reading until `resume()`. */
  callback(bytes: number, buffer: Uint8Array): boolean;
}

/** For listeners: read nothing yet, keep half-closes. */
export const LISTENER_OPTIONS = {
  pauseOnConnect: true,
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
} as const;

/**
 * A proxy that is shutting down still serves what reaches it: its listeners are closed and its tunnels said
 * GOAWAY, so that can only be what was under way before.
 * @throws ConnectionRefused when the pod takes no more connections of this direction.
 */
export function admit(pod: LocalPod, direction: Direction, { connectionsPerPod }: TunnelLimits): void {
  if (pod.open(direction) <= connectionsPerPod) return;
  throw new ConnectionRefused(
    'connection_limit',
    `${pod.who.workload} has ${connectionsPerPod} open ${direction} connections`,
  );
}

/** A socket's descriptor: Node's own, there is no public way to it. Undefined once it is closed. */
export function fdOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

/** Where a captured connection wanted to go. */
export function originalOf(socket: Socket): Endpoint | undefined {
  const fd = fdOf(socket);
  if (fd === undefined) return undefined;
  return originalDestination(fd, socket.remoteFamily === 'IPv6' && !isMapped(socket.remoteAddress) ? 6 : 4);
}

function isMapped(address: string | undefined): boolean {
  return address?.startsWith('::ffff:') === true;
}
