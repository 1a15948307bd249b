/** The listening sockets of a pod, opened inside its network namespace. */

import type { Logger } from '#base/log.ts';
import { closeFd, KernelError, listenIn, type NetnsHandle, setSysctlIn } from '../kernel/index.ts';
import { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT } from '../tunnel/index.ts';
import type { PodFds } from '../workers/worker-pool.ts';

/** @throws KernelError; nothing stays open then. */
export function openPodSockets(netns: NetnsHandle, log?: Logger): PodFds {
  letQueuesMove(netns, log);
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

/** The kernel has no such setting (before Linux 5.14), or does not let us set it. */
const NOT_SETTABLE = new Set(['ENOENT', 'EROFS', 'EACCES']);
/** Once is enough: it is the same for every pod of the node. */
const told = new WeakSet<Logger>();

/**
 * When a listener closes, connections in its queue move to another process that listens on the port. Without it they
 * are reset when the proxy is replaced, which is no reason not to serve the pod.
 */
function letQueuesMove(netns: NetnsHandle, log: Logger | undefined): void {
  try {
    setSysctlIn(netns, 'net.ipv4.tcp_migrate_req', 1);
  } catch (error) {
    if (!(error instanceof KernelError) || !NOT_SETTABLE.has(error.errno)) throw error;
    if (log === undefined || told.has(log)) return;
    told.add(log);
    log.warn(
      { err: error },
      'net.ipv4.tcp_migrate_req cannot be set: connections that wait while the proxy is replaced will be reset',
    );
  }
}
