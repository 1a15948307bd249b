/**
 * The pods that this node's proxy was told of, on disk: a new process takes them over without asking the
 * container runtime. No secrets. Written atomically and before the answer to whoever told us.
 */

import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Forced } from './selection.ts';

export interface PodRecord {
  /** `dev:inode` of the network namespace. */
  id: string;
  netns: string;
  /** `<namespace>/<name>` */
  workload: string;
  ips: readonly string[];
  containerId: string;
  forced: Forced;
  /** Its connections were captured when this was written. */
  captured: boolean;
}

const FILE = 'pods.json';

export function readRecords(stateDir: string, log: Logger): PodRecord[] {
  const file = join(stateDir, FILE);
  try {
    const records = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    if (!Array.isArray(records)) throw new TypeError('not a list');
    return records.filter(isRecord);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT')
      log.error({ file, err: error }, 'the list of pods is unreadable: enrol them again');
    return [];
  }
}

/** @param mustBeOurs throws if another process has taken over the pods; asked last, right before the new records stand. */
export async function writeRecords(
  stateDir: string,
  records: readonly PodRecord[],
  mustBeOurs: () => void = () => {},
): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const temporary = join(stateDir, `.${FILE}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(records, null, 1));
      await file.sync();
    } finally {
      await file.close();
    }
    mustBeOurs();
    renameSync(temporary, join(stateDir, FILE));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function isRecord(value: unknown): value is PodRecord {
  const record = value as Partial<PodRecord> | null;
  return (
    typeof record?.id === 'string' &&
    typeof record.netns === 'string' &&
    typeof record.workload === 'string' &&
    typeof record.containerId === 'string' &&
    Array.isArray(record.ips)
  );
}
