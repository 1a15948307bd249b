/** Files that others read at any moment: replaced in one step, or not at all. */

import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Mode and owner of a file, as `fs.Stats` has them. */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
}

/** Name of the passing file; no runtime takes it for a configuration. */
function beside(path: string): string {
  return join(dirname(path), `.nodemesh-${process.pid}.tmp`);
}

/** Writes a text whole, with these attributes. */
export function replaceFile(path: string, text: string, attributes: Attributes): void {
  install(path, attributes, temporary => writeFileSync(temporary, text));
}

/** Copies a file whole; a running executable at `path` runs on undisturbed. */
export function replaceByCopy(path: string, source: string, attributes: Attributes): void {
  install(path, attributes, temporary => copyFileSync(source, temporary, constants.COPYFILE_FICLONE));
}

function install(path: string, { mode, uid, gid }: Attributes, fill: (temporary: string) => void): void {
  const temporary = beside(path);
  try {
    fill(temporary);
    const fd = openSync(temporary, 'r');
    try {
      fchownSync(fd, uid, gid);
      fchmodSync(fd, mode & 0o7777);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Makes renames and removals in a directory last through a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Equal content; false if `path` does not exist. Reads in pieces: the executable has 150 MB. */
export function isSameFile(path: string, other: string): boolean {
  if (!existsSync(path) || statSync(path).size !== statSync(other).size) return false;
  const [a, b] = [openSync(path, 'r'), openSync(other, 'r')];
  const [left, right] = [Buffer.alloc(COMPARE_BYTES), Buffer.alloc(COMPARE_BYTES)];
  try {
    for (;;) {
      const length = readSync(a, left);
      readSync(b, right);
      if (length === 0) return true;
      if (!left.subarray(0, length).equals(right.subarray(0, length))) return false;
    }
  } finally {
    closeSync(a);
    closeSync(b);
  }
}

const COMPARE_BYTES = 1 << 20;
