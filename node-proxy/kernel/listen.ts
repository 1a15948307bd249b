/** Listening sockets inside a pod's network namespace, served by `net.Server.listen({ fd })` of any thread. */

import { isIPv6 } from 'node:net';
import {
  AF_INET,
  AF_INET6,
  check,
  IPV6_V6ONLY,
  libc,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from './libc.ts';
import { inNetns, type Netns } from './netns.ts';
import { decodeSocketAddress, encodeSocketAddress, SOCKADDR_BYTES } from './socket-address.ts';
import { setMark, setOption, setTransparent } from './socket-options.ts';

export interface ListenOptions {
  /** Address to bind; `0.0.0.0` or `::` for all. */
  ip: string;
  /** 0 = any free port; the result says which. */
  port: number;
  /** Lets a second process or thread listen beside the first; both must ask for it. Default false. */
  reusePort?: boolean;
  /** SO_MARK of the listener, inherited by accepted connections. */
  mark?: number;
  /** IP_TRANSPARENT: accepts connections to addresses that are not local, given such routes. */
  transparent?: boolean;
  /**
   * Accept queue; the kernel caps it at net.core.somaxconn of that namespace. Default 4096. `net.Server.listen({ fd })`
   * sets its own (511) again: give it the same `backlog`.
   */
  backlog?: number;
  /** For `::` only: leave IPv4 to another socket. Default true, as the kernel's own default is a sysctl. */
  v6only?: boolean;
}

export interface ListeningFd {
  /** Non-blocking, close-on-exec; owned by the caller until given to `net.Server.listen({ fd })`. */
  fd: number;
  port: number;
}

const DEFAULT_BACKLOG = 4096;

/** @param ns undefined = the host's namespace. @throws KernelError; nothing stays open then. */
export function listenIn(ns: Netns | undefined, options: ListenOptions): ListeningFd {
  return ns === undefined ? listen(options) : inNetns(ns, () => listen(options));
}

function listen(options: ListenOptions): ListeningFd {
  const family = isIPv6(options.ip) ? 6 : 4;
  const subject = `${family === 6 ? `[${options.ip}]` : options.ip}:${options.port}`;
  const address = encodeSocketAddress(options.ip, options.port);
  const fd = openSocket(family, subject);
  try {
    setOption(fd, SO_REUSEADDR, 1, 'SO_REUSEADDR');
    if (options.reusePort) setOption(fd, SO_REUSEPORT, 1, 'SO_REUSEPORT');
    if (family === 6) setOption(fd, IPV6_V6ONLY, (options.v6only ?? true) ? 1 : 0, 'IPV6_V6ONLY');
    if (options.mark !== undefined) setMark(fd, options.mark);
    if (options.transparent) setTransparent(fd, family);
    check(libc.bind(fd, address, address.length), 'bind', subject);
    check(libc.listen(fd, options.backlog ?? DEFAULT_BACKLOG), 'listen', subject);
    return { fd, port: options.port === 0 ? boundPort(fd) : options.port };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** A TCP socket, non-blocking and close-on-exec, in the namespace the thread is in. */
export function openSocket(family: 4 | 6, subject: string): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return check(libc.socket(family === 6 ? AF_INET6 : AF_INET, type, 0), 'socket', subject);
}

function boundPort(fd: number): number {
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  check(libc.getsockname(fd, bytes, new Uint32Array([bytes.length])), 'getsockname', `fd ${fd}`);
  return decodeSocketAddress(bytes)?.port ?? 0;
}
