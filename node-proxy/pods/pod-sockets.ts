/** The listening sockets of a pod, opened inside its network namespace. */

import type { Logger } from '#base/log.ts';
import { closeFd, KernelError, listenIn, type NetnsHandle, setSysctlIn } from '../kernel/index.ts';
import { HBONE_PORT, INBOUND_PLAIN_PORT, OUTBOUND_PORT } from '../tunnel/index.ts';
import type { PodFds } from '../workers/messages.ts';

/** @throws KernelError; nothing stays open then. */
export function openPodSockets(netns: NetnsHandle, log?: Logger): PodFds {
  tuneNetns(netns, log);
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
/** What makes connections survive, with what is lost where it can't be set. */
const SETTINGS = {
  // When a listener closes, connections in its queue move to another process that listens on the port.
  'net.ipv4.tcp_migrate_req': 'connections that wait while the proxy is replaced will be reset',
  // A caller and its application are a fixed pair of addresses: at some 15,000 connections a minute most of their
  // ports are in TIME_WAIT, and finding another takes the kernel milliseconds. RFC 6191 lets them be used again.
  'net.ipv4.tcp_tw_reuse': 'tens of thousands of short connections a minute from one caller will be slow',
} as const;

/** Once is enough: it is the same for every pod of the node. */
const told = new WeakSet<Logger>();

/** None of this is a reason not to serve the pod. */
function tuneNetns(netns: NetnsHandle, log: Logger | undefined): void {
  const lost: string[] = [];
  for (const [key, loss] of Object.entries(SETTINGS)) {
    try {
      setSysctlIn(netns, key, 1);
    } catch (error) {
      if (!(error instanceof KernelError) || !NOT_SETTABLE.has(error.errno)) throw error;
      lost.push(`${key} can't be set (${error.errno}): ${loss}`);
    }
  }
  if (lost.length === 0 || log === undefined || told.has(log)) return;
  told.add(log);
  log.warn({ lost }, 'the kernel keeps some settings from pods');
}
