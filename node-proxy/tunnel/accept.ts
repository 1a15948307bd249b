/** What every listener does first with an accepted connection. */

import type { Socket } from 'node:net';
import type { Endpoint } from '#base/net.ts';
import { originalDestination } from '../kernel/index.ts';
import { ConnectionRefused } from './failure.ts';
import type { TunnelLimits } from './limits.ts';
import type { Direction, LocalPod } from './local-pod.ts';

/** For listeners: read nothing yet, keep half-closes, notice peers that vanished (ztunnel: 180 s). */
export const LISTENER_OPTIONS = {
  pauseOnConnect: true,
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 180_000,
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

/** Where a captured connection wanted to go. The descriptor is Node's own; there is no public way to it. */
export function originalOf(socket: Socket): Endpoint | undefined {
  const fd = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd;
  if (fd === undefined || fd < 0) return undefined;
  return originalDestination(fd, socket.remoteFamily === 'IPv6' && !isMapped(socket.remoteAddress) ? 6 : 4);
}

function isMapped(address: string | undefined): boolean {
  return address?.startsWith('::ffff:') === true;
}
