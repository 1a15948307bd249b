/**
 * Outgoing sockets made inside a pod's network namespace: marked, so that the capture rules leave them
 * alone, and bound to a foreign source address where the application must see its real caller.
 */

import { check, IP_BIND_ADDRESS_NO_PORT, libc, SO_REUSEADDR } from './libc.ts';
import { openSocket } from './listen.ts';
import { inNetns, type Netns } from './netns.ts';
import { encodeSocketAddress } from './socket-address.ts';
import { setMark, setOption, setTransparent } from './socket-options.ts';

export interface ConnectingOptions {
  family: 4 | 6;
  /** SO_MARK. Needs CAP_NET_ADMIN, as does `source.transparent`. */
  mark?: number;
  /**
   * Source address of the same family; the kernel picks the port at connect, when it knows the destination, so
   * that two sources never run out of ports together. `transparent` = the address need not be local.
   */
  source?: { ip: string; transparent: boolean /** Absent or 0 = the kernel picks. */; port?: number };
}

/**
 * An unconnected TCP socket for `new net.Socket({ fd }).connect(…)`. Non-blocking, close-on-exec; owned by the
 * caller until given to the socket object.
 * @param ns undefined = the host's namespace. @throws KernelError; nothing stays open then.
 */
export function connectingSocketIn(ns: Netns | undefined, options: ConnectingOptions): number {
  // Only the socket's creation belongs inside; its options and binding follow the socket.
  const fd = ns === undefined ? open(options) : inNetns(ns, () => open(options));
  try {
    if (options.mark !== undefined) setMark(fd, options.mark);
    if (options.source !== undefined) bindSource(fd, options.family, options.source);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function open({ family }: ConnectingOptions): number {
  return openSocket(family, family === 6 ? 'IPv6' : 'IPv4');
}

function bindSource(fd: number, family: 4 | 6, source: NonNullable<ConnectingOptions['source']>): void {
  if (source.transparent) setTransparent(fd, family);
  const port = source.port ?? 0;
  if (port === 0) setOption(fd, IP_BIND_ADDRESS_NO_PORT, 1, 'IP_BIND_ADDRESS_NO_PORT');
  // A port that an earlier connection left in TIME_WAIT is free for another one.
  else setOption(fd, SO_REUSEADDR, 1, 'SO_REUSEADDR');
  const address = encodeSocketAddress(source.ip, port);
  check(libc.bind(fd, address, address.length), 'bind', `source ${source.ip}`);
}
