/**
 * Every C function the project calls, bound once per thread: the module is evaluated in each worker, and
 * koffi keeps its state per environment, so bindings are never shared between threads. Symbols come from
 * the process itself (glibc or musl), thus no library name to guess.
 *
 * Invariant: `check` reads errno directly after the call; nothing may run in between.
 */

import koffi from 'koffi';
import { errnoName, KernelError } from './kernel-error.ts';

const self = koffi.load(null);

type Bytes = Uint8Array | Int32Array | Uint32Array;

export const libc = {
  setns: self.func('int setns(int fd, int type)') as (fd: number, type: number) => number,
  socket: self.func('int socket(int family, int type, int protocol)') as (
    family: number,
    type: number,
    protocol: number,
  ) => number,
  bind: self.func('int bind(int fd, void *address, uint32_t length)') as (
    fd: number,
    address: Bytes,
    length: number,
  ) => number,
  listen: self.func('int listen(int fd, int backlog)') as (fd: number, backlog: number) => number,
  getsockname: self.func('int getsockname(int fd, void *address, void *length)') as (
    fd: number,
    address: Bytes,
    length: Bytes,
  ) => number,
  getsockopt: self.func('int getsockopt(int fd, int level, int name, void *value, void *length)') as (
    fd: number,
    level: number,
    name: number,
    value: Bytes,
    length: Bytes,
  ) => number,
  setsockopt: self.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)') as (
    fd: number,
    level: number,
    name: number,
    value: Bytes,
    length: number,
  ) => number,
  send: self.func('intptr_t send(int fd, void *bytes, size_t length, int flags)') as (
    fd: number,
    bytes: Bytes,
    length: number,
    flags: number,
  ) => number,
  recv: self.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)') as (
    fd: number,
    bytes: Bytes,
    length: number,
    flags: number,
  ) => number,
  /** Variadic in C; on the 64-bit Linux ABIs we run on, integer arguments travel the same way. */
  fcntl: self.func('int fcntl(int fd, int command, int argument)') as (
    fd: number,
    command: number,
    argument: number,
  ) => number,
  ioctl: self.func('int ioctl(int fd, unsigned long request)') as (fd: number, request: number) => number,
  close: self.func('int close(int fd)') as (fd: number) => number,
  abort: self.func('void abort()') as () => void,
};

export function lastErrno(): number {
  return koffi.errno();
}

/** Returns `result` of a call, or throws {@link KernelError} if it is negative. */
export function check(result: number, syscall: string, subject: string): number {
  if (result >= 0) return result;
  throw new KernelError(syscall, subject, errnoName(koffi.errno()));
}

/** Numbers of the Linux headers (asm-generic; the same on x86-64 and arm64). */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const CLONE_NEWNET = 0x40000000;
export const NS_GET_NSTYPE = 0xb703;
export const F_GETFD = 1;
export const F_DUPFD_CLOEXEC = 1030;
export const EBADF = 9;
export const ENOENT = 2;

/** `[level, name]` of the socket options in use. */
export const SO_REUSEADDR = [1, 2] as const;
export const SO_KEEPALIVE = [1, 9] as const;
export const SO_LINGER = [1, 13] as const;
export const SO_REUSEPORT = [1, 15] as const;
export const SO_PEERCRED = [1, 17] as const;
export const SO_MARK = [1, 36] as const;
export const IP_TRANSPARENT = [0, 19] as const;
export const IP_BIND_ADDRESS_NO_PORT = [0, 24] as const;
export const SO_ORIGINAL_DST = [0, 80] as const;
export const IPV6_V6ONLY = [41, 26] as const;
export const IPV6_TRANSPARENT = [41, 75] as const;
export const IP6T_SO_ORIGINAL_DST = [41, 80] as const;
export const TCP_KEEPIDLE = [6, 4] as const;
export const TCP_KEEPINTVL = [6, 5] as const;
export const TCP_KEEPCNT = [6, 6] as const;
export const TCP_USER_TIMEOUT = [6, 18] as const;
