/** The listening sockets of a pod, opened inside its network namespace. */

import { closeFd, KernelError, listenIn, type NetnsHandle, setSysctlIn } from '../kernel/index.ts';
import { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT } from '../tunnel/index.ts';
import type { PodFds } from '../workers/worker-pool.ts';

/** @throws KernelError; nothing stays open then. */
export function openPodSockets(netns: NetnsHandle): PodFds {
  // When a listener closes, connections in its queue move to another process that listens on the port
  // (Linux 5.14): without it, replacing the proxy would reset them.
  setSysctlIn(netns, 'net.ipv4.tcp_migrate_req', 1);
  const open: number[] = [];
  try {
    for (const port of [OUTBOUND_PORT, INBOUND_PLAIN_PORT, HBONE_PORT]) open.push(listen(netns, port));
  } catch (error) {
    for (const fd of open) closeFd(fd);
    throw error;
  }
  const [outbound = -1, plain = -1, hbone = -1] = open;
  return { outbound, plain, hbone };
}

/** Both families on one socket; only IPv4 where the pod has no IPv6. */
function listen(netns: NetnsHandle, port: number): number {
  const options = { port, reusePort: true };
  try {
    return listenIn(netns, { ...options, ip: '::', v6only: false }).fd;
  } catch (error) {
    if (!(error instanceof KernelError) || !NO_IPV6.has(error.errno)) throw error;
    return listenIn(netns, { ...options, ip: '0.0.0.0' }).fd;
  }
}

const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);
