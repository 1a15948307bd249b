/**
 * Where a redirected connection wanted to go, as connection tracking remembers it. Hot path: called once per
 * accepted connection; the buffers are per thread and reused.
 */

import type { Endpoint } from '#base/net.ts';
import { errnoName, KernelError } from './kernel-error.ts';
import { EBADF, IP6T_SO_ORIGINAL_DST, lastErrno, libc, SO_ORIGINAL_DST } from './libc.ts';
import { decodeSocketAddress, SOCKADDR_BYTES } from './socket-address.ts';

const address = new Uint8Array(SOCKADDR_BYTES);
const length = new Uint32Array(1);

/**
 * @param fd an accepted TCP connection.
 * @param family of the socket as its peer sees it (6 for a real IPv6 peer), a hint that saves one failing call.
 * @returns the destination before redirection; the local address if nobody redirected it; undefined if the
 * kernel tracks no such connection (no NAT rules in that namespace, or the entry is gone). Link-local IPv6 comes without scope.
 * @throws KernelError `EBADF` if the descriptor is closed.
 */
export function originalDestination(fd: number, family: 4 | 6 = 4): Endpoint | undefined {
  return family === 4
    ? (ask(fd, SO_ORIGINAL_DST) ?? ask(fd, IP6T_SO_ORIGINAL_DST))
    : (ask(fd, IP6T_SO_ORIGINAL_DST) ?? ask(fd, SO_ORIGINAL_DST));
}

function ask(fd: number, [level, name]: readonly [number, number]): Endpoint | undefined {
  length[0] = SOCKADDR_BYTES;
  if (libc.getsockopt(fd, level, name, address, length) === 0) return decodeSocketAddress(address);
  // Every other failure means "no such entry for this family": ENOENT, ENOPROTOOPT, EOPNOTSUPP.
  if (lastErrno() === EBADF)
    throw new KernelError('getsockopt', `original destination of fd ${fd}`, errnoName(EBADF));
  return undefined;
}
