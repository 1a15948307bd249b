/** Raw file descriptors: copies for other threads, and their end. */

import { check, F_DUPFD_CLOEXEC, libc } from './libc.ts';

/**
 * A second descriptor of the same open socket, close-on-exec. This is how an accepted connection is handed to another
 * thread: `dup`, post the number, destroy the original socket object; the receiver owns the copy.
 */
export function dupFd(fd: number): number {
  return check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 3), 'dup', `fd ${fd}`);
}

/** @throws KernelError `EBADF` if it is not open: closing twice is a bug that hits somebody else's socket. */
export function closeFd(fd: number): void {
  check(libc.close(fd), 'close', `fd ${fd}`);
}
