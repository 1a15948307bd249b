/** Kernel settings of one network namespace. `/proc/sys/net` shows the namespace of the thread that opens it. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fromFsError, KernelError } from './kernel-error.ts';
import { inNetns, type Netns } from './netns.ts';

/** `net.ipv4.tcp_migrate_req` → `/proc/sys/net/ipv4/tcp_migrate_req`; nothing outside /proc/sys/net can be named. */
function pathOf(key: string): string {
  const parts = key.split('.');
  if (parts[0] !== 'net' || parts.length < 2 || !parts.every(part => /^[A-Za-z0-9_-]+$/.test(part)))
    throw new KernelError('open', `sysctl ${key}`, 'EINVAL', {
      next: 'Give a key such as net.ipv4.tcp_migrate_req.',
    });
  return `/proc/sys/${parts.join('/')}`;
}

/** @throws KernelError `ENOENT` if this kernel has no such key, `EROFS` or `EACCES` if /proc/sys can't be written. */
export function setSysctlIn(ns: Netns | undefined, key: string, value: string | number): void {
  const path = pathOf(key);
  const write = () => {
    try {
      // No O_CREAT or O_TRUNC: proc refuses neither, but a plain write is what is meant.
      writeFileSync(path, `${value}\n`, { flag: 'r+' });
    } catch (error) {
      throw fromFsError('write', `${key}=${value}`, error);
    }
  };
  if (ns === undefined) write();
  else inNetns(ns, write);
}

/** The value without its newline. */
export function readSysctlIn(ns: Netns | undefined, key: string): string {
  const path = pathOf(key);
  const read = () => {
    try {
      return readFileSync(path, 'latin1').trimEnd();
    } catch (error) {
      throw fromFsError('open', key, error);
    }
  };
  return ns === undefined ? read() : inNetns(ns, read);
}
