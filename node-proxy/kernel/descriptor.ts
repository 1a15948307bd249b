/** Raw file descriptors: copies for other threads, what they are, and their end. */

import { fstatSync } from 'node:fs';
import { check, F_DUPFD_CLOEXEC, F_GETFD, libc, SO_LINGER } from './libc.ts';

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

/** `struct linger`: on, 0 seconds. */
const LINGER_NONE = Int32Array.of(1, 0);

/** Ends a connection with RST and closes its descriptor, without a socket object. */
export function resetFd(fd: number): void {
  // What is no TCP socket is just closed.
  libc.setsockopt(fd, ...SO_LINGER, LINGER_NONE, LINGER_NONE.byteLength);
  closeFd(fd);
}

/** Tells one open file from another that got its number later. @throws if it is not open. */
export function inodeOf(fd: number): number {
  return fstatSync(fd).ino;
}

/** Whether the number still is that open file; false if it is not open. */
export function isStill(fd: number, inode: number): boolean {
  // Mostly it is closed, and an exception would cost ten times the answer.
  if (libc.fcntl(fd, F_GETFD, 0) < 0) return false;
  try {
    return inodeOf(fd) === inode;
  } catch {
    // Another thread closed it just now.
    return false;
  }
}
