/**
 * Entering network namespaces. `setns` changes the calling thread only, so whatever happens inside must be
 * synchronous: an `await` would let other work of this thread run in the pod's namespace.
 *
 * Invariant: a thread is outside {@link inNetns} only in the host's namespace. If the way back fails, the
 * process aborts: going on would send the host's traffic, or another pod's, from inside this pod.
 */

import { access, closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { InvariantError } from '#base/errors.ts';
import { errnoName, fromFsError, KernelError } from './kernel-error.ts';
import { CLONE_NEWNET, check, EBADF, lastErrno, libc, NS_GET_NSTYPE } from './libc.ts';

/** What entering takes. Plain data: may be posted to a worker, as descriptors belong to the process. */
export interface Netns {
  readonly fd: number;
}

export interface NetnsHandle extends Netns {
  /** Where it was opened from, for messages. */
  readonly path: string;
  /** Identity while somebody holds it open: equal `dev:inode` means the same network namespace. */
  readonly inode: bigint;
  readonly dev: bigint;
  /** `dev:inode` as text, for maps. */
  readonly id: string;
  /** Idempotent. Sockets made inside keep the namespace alive, the handle does not have to. */
  close(): void;
}

/**
 * Opens a network namespace by path (`/run/netns/NAME`, `/proc/PID/ns/net`).
 * @throws KernelError if the path is missing or is no network namespace (a leftover of an unmounted one).
 */
export function openNetns(path: string): NetnsHandle {
  let fd: number;
  try {
    // libuv adds O_CLOEXEC.
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    throw fromFsError('open', path, error);
  }
  if (libc.ioctl(fd, NS_GET_NSTYPE) !== CLONE_NEWNET) {
    closeSync(fd);
    throw new KernelError('setns', path, 'EINVAL');
  }
  const { dev, ino } = fstatSync(fd, { bigint: true });
  let open = true;
  return {
    fd,
    path,
    inode: ino,
    dev,
    id: `${dev}:${ino}`,
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}

let host: NetnsHandle | undefined;

/**
 * The network namespace this thread was born in, opened on first use and kept. Call it once at start, before
 * anything is entered. Not `/proc/self/ns/net`: that is the main thread's, which may be inside a pod just now.
 */
export function hostNetns(): NetnsHandle {
  if (host === undefined) {
    host = openNetns('/proc/thread-self/ns/net');
    // libuv starts its thread pool on first use, as clones of the calling thread. Were that inside a pod's
    // namespace, DNS look-ups would leave from there for ever; so it is started here.
    access('/', () => {});
  }
  return host;
}

let inside = false;

/**
 * Runs `act` inside `ns` and returns to the host's namespace. `act` makes kernel calls and synchronous file
 * access only: no promises, no new threads. Child processes started inside stay inside.
 * @throws KernelError if the namespace can't be entered; InvariantError if `act` is asynchronous or nested.
 */
export function inNetns<T>(ns: Netns, act: () => T): T {
  const { fd: home } = hostNetns();
  if (inside)
    throw new InvariantError('inNetns does not nest: leave one network namespace before entering another');
  check(libc.setns(ns.fd, CLONE_NEWNET), 'setns', `netns fd ${ns.fd}`);
  inside = true;
  let result: T;
  try {
    result = act();
  } finally {
    if (libc.setns(home, CLONE_NEWNET) < 0) abortInside(lastErrno());
    inside = false;
  }
  if (isThenable(result)) {
    // Its rejection would otherwise also be reported as unhandled, hiding the cause.
    Promise.resolve(result).catch(() => {});
    throw new InvariantError(
      'inNetns got an asynchronous action: it would run outside the network namespace',
    );
  }
  return result;
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Never returns. `process.abort` is not allowed in workers, the C function is. */
function abortInside(errno: number): void {
  const reason =
    errno === EBADF ? 'EBADF (something closed the handle of the host namespace)' : errnoName(errno);
  try {
    writeSync(2, `nodemesh: can't return to the host network namespace: ${reason}; aborting\n`);
  } finally {
    libc.abort();
  }
}
