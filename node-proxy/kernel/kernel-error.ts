/**
 * The one error of the kernel calls: which call failed, on what, with which errno, and what an operator
 * has to check. Tunnel code asks for `errno` (`ECONNREFUSED`, `EADDRINUSE`…), operators read `next`.
 */

import { getSystemErrorName } from 'node:util';
import { MeshError } from '#base/errors.ts';

export class KernelError extends MeshError {
  /** Symbolic, for example `EPERM`. */
  readonly errno: string;
  /** The system call, for example `setns`. */
  readonly syscall: string;

  constructor(
    syscall: string,
    subject: string,
    errno: string,
    details: { next?: string; cause?: unknown } = {},
  ) {
    const next = details.next ?? adviceFor(syscall, errno);
    super('NM_KERNEL', `${syscall} ${subject}: ${errno}`, {
      by: 'mesh',
      ...(next === undefined ? {} : { next }),
      ...(details.cause === undefined ? {} : { cause: details.cause }),
    });
    this.errno = errno;
    this.syscall = syscall;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), errno: this.errno, syscall: this.syscall };
  }
}

/** Symbolic name of a positive errno value. */
export function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : 'EUNKNOWN';
}

/** From a failed `node:fs` call. */
export function fromFsError(syscall: string, subject: string, cause: unknown): KernelError {
  const code = (cause as { code?: unknown }).code;
  return new KernelError(syscall, subject, typeof code === 'string' ? code : 'EUNKNOWN', { cause });
}

const ADVICE: Record<string, string> = {
  'setns EPERM': 'node-proxy needs CAP_SYS_ADMIN in the user namespace that owns the network namespace.',
  'setns EINVAL': 'The path is no network namespace: its mount is gone, or it never was one.',
  'setsockopt EPERM': 'node-proxy needs CAP_NET_ADMIN in the user namespace that owns the network namespace.',
  'bind EADDRINUSE': 'Another process listens on this port in this network namespace without SO_REUSEPORT.',
  'bind EACCES': 'Ports below 1024 need CAP_NET_BIND_SERVICE.',
  'bind EADDRNOTAVAIL':
    'The network namespace has no such address; IPv6 may be off, or the pod is going away.',
  'socket EAFNOSUPPORT': 'The kernel has no IPv6 here (ipv6.disable=1): listen on IPv4 only.',
  'open ENOENT': 'The path does not exist; the pod is probably gone.',
  'open EACCES':
    'node-proxy needs root, and the host’s /proc and /run/netns mounted, to open network namespaces.',
  'write EACCES': '/proc/sys is mounted read-only here: run node-proxy with a writable /proc/sys.',
  'write EROFS': '/proc/sys is mounted read-only here: run node-proxy with a writable /proc/sys.',
  'write EINVAL': 'The kernel does not accept this value for this key.',
};

function adviceFor(syscall: string, errno: string): string | undefined {
  if (errno === 'EMFILE' || errno === 'ENFILE')
    return 'The process is out of file descriptors: raise LimitNOFILE (ulimit -n), or look for a leak in node-proxy’s fd metric.';
  if (errno === 'ENOMEM' || errno === 'ENOBUFS') return 'The machine is out of kernel memory.';
  return ADVICE[`${syscall} ${errno}`];
}
