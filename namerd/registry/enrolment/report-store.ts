/**
 * Where reports of node proxies ("these workloads speak HBONE now") are kept, so that a restart of namerd does
 * not turn encrypted traffic back into plaintext until every proxy has reported again.
 */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError, messageOf } from '#base/errors.ts';
import { removeStrayFiles, replaceFile } from '../../store/file/atomic-file.ts';

export interface EnrolmentStore {
  /** Node → keys (`<namespace>/<name>`) of the workloads that it reported last. */
  load(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Resolves when it would survive a crash. */
  save(node: string, workloads: readonly string[]): Promise<void>;
}

export class EnrolmentStoreError extends MeshError {
  constructor(what: string, cause: unknown) {
    super('NM_ENROLMENT_STORE', `${what}: ${messageOf(cause)}`, {
      by: 'mesh',
      next: 'Check the directory of the storage: space, permissions; remove a damaged file.',
      cause,
    });
  }
}

/** Forgets everything with the process: for a namerd whose storage does too. */
export function memoryEnrolment(): EnrolmentStore {
  const reports = new Map<string, readonly string[]>();
  return {
    load: async () => new Map(reports),
    save: async (node, workloads) => {
      reports.set(node, workloads);
    },
  };
}

const SUFFIX = '.json';

/** One file per node, replaced atomically. @param dir created if it is not there */
export function fileEnrolment(dir: string): EnrolmentStore {
  return {
    async load() {
      try {
        await mkdir(dir, { recursive: true });
        await removeStrayFiles(dir);
        const files = (await readdir(dir)).filter(file => file.endsWith(SUFFIX)).sort();
        const reports = new Map<string, readonly string[]>();
        for (const file of files) {
          const workloads = parseReport(await readFile(join(dir, file), 'utf8'));
          reports.set(decodeURIComponent(file.slice(0, -SUFFIX.length)), workloads);
        }
        return reports;
      } catch (error) {
        throw new EnrolmentStoreError(`the enrolment reports in ${dir} cannot be read`, error);
      }
    },
    async save(node, workloads) {
      const file = `${encodeURIComponent(node)}${SUFFIX}`;
      try {
        await replaceFile(dir, file, `${JSON.stringify({ workloads })}\n`);
      } catch (error) {
        throw new EnrolmentStoreError(`the enrolment report of node ${node} cannot be kept`, error);
      }
    },
  };
}

function parseReport(text: string): string[] {
  const { workloads } = JSON.parse(text) as { workloads?: unknown };
  if (!Array.isArray(workloads) || !workloads.every(each => typeof each === 'string'))
    throw new TypeError("a report is an object with the list 'workloads'");
  return workloads;
}
