/** Setting socket options on raw descriptors, those of Node's sockets (`socket._handle.fd`) included. */

import {
  check,
  IP_TRANSPARENT,
  IPV6_TRANSPARENT,
  libc,
  SO_KEEPALIVE,
  SO_MARK,
  SO_PEERCRED,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_USER_TIMEOUT,
} from './libc.ts';

/** Per thread, used synchronously only. */
const value = new Int32Array(1);

/** @param name for error texts. */
export function setOption(
  fd: number,
  [level, option]: readonly [number, number],
  number: number,
  name: string,
): void {
  value[0] = number;
  check(libc.setsockopt(fd, level, option, value, 4), 'setsockopt', `${name}=${number} on fd ${fd}`);
}

/** SO_MARK: the routing mark of every packet of this socket. Needs CAP_NET_ADMIN. */
export function setMark(fd: number, mark: number): void {
  setOption(fd, SO_MARK, mark, 'SO_MARK');
}

/** Allows binding to addresses that are not ours. Needs CAP_NET_ADMIN. */
export function setTransparent(fd: number, family: 4 | 6): void {
  if (family === 4) setOption(fd, IP_TRANSPARENT, 1, 'IP_TRANSPARENT');
  else setOption(fd, IPV6_TRANSPARENT, 1, 'IPV6_TRANSPARENT');
}

export interface KeepAlive {
  /** Seconds without traffic before the first probe. */
  idleSeconds: number;
  intervalSeconds: number;
  /** Unanswered probes until the connection is reset. */
  probes: number;
}

/** Full keepalive control; Node's `setKeepAlive` covers the idle time only. */
export function setKeepAlive(fd: number, { idleSeconds, intervalSeconds, probes }: KeepAlive): void {
  setOption(fd, SO_KEEPALIVE, 1, 'SO_KEEPALIVE');
  setOption(fd, TCP_KEEPIDLE, idleSeconds, 'TCP_KEEPIDLE');
  setOption(fd, TCP_KEEPINTVL, intervalSeconds, 'TCP_KEEPINTVL');
  setOption(fd, TCP_KEEPCNT, probes, 'TCP_KEEPCNT');
}

/** Resets the connection when sent data stays unacknowledged that long (RFC 5482). 0 = the system's default. */
export function setUserTimeout(fd: number, milliseconds: number): void {
  setOption(fd, TCP_USER_TIMEOUT, milliseconds, 'TCP_USER_TIMEOUT');
}

export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

/** Who opened the other end of a connected unix socket, as the kernel recorded it at connect (SO_PEERCRED). */
export function peerCredentials(fd: number): PeerCredentials {
  const credentials = new Int32Array(3);
  const length = new Uint32Array([credentials.byteLength]);
  check(libc.getsockopt(fd, ...SO_PEERCRED, credentials, length), 'getsockopt', `SO_PEERCRED on fd ${fd}`);
  const [pid = 0, uid = 0, gid = 0] = credentials;
  // uid and gid are unsigned; -1 is the kernel's "nobody of this namespace".
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}
