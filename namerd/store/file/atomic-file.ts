/**
 * Replacing and removing files so that a crash at any moment leaves the old state or the new one, and that
 * what has resolved survives a power cut: temporary file in the same directory, fsync, rename, fsync of the
 * directory.
 */

import { open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#base/errors.ts';

const TEMPORARY = /^\..*\.\d+-\d+\.tmp$/;
let lastNumber = 0;

/** @param durable false leaves out the fsyncs, for files that may be lost as long as they are whole. */
export async function replaceFile(
  dir: string,
  name: string,
  content: string,
  { durable = true }: { durable?: boolean } = {},
): Promise<void> {
  lastNumber += 1;
  const temporary = join(dir, `.${name}.${process.pid}-${lastNumber}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o640);
    try {
      await file.writeFile(content);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(dir, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dir);
}

/** Removing what is not there is no error. */
export async function removeFile(dir: string, name: string): Promise<void> {
  try {
    await unlink(join(dir, name));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  await syncDirectory(dir);
}

/** Removes what writers that were killed left behind. Only for a directory that nobody is writing to. */
export async function removeStrayFiles(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (TEMPORARY.test(name)) await rm(join(dir, name), { force: true });
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
