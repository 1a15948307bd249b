/**
 * The last good state of the node on disk, so that a proxy starts while namerd is away: workloads and
 * policies, trust roots, bindings. Never keys. Written atomically and with a checksum: a damaged file is as good
 * as none.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AddressState, NodeState, TrustState } from '#api';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, MeshError, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { StoredBindings } from './node-bindings.ts';

export interface Snapshot extends StoredBindings {
  format: 2;
  node: string;
  /** Milliseconds since the epoch. */
  savedAt: number;
  nodeState: NodeState | undefined;
  trust: TrustState | undefined;
}

/** As it was written before there was HTTP: no names. */
interface SnapshotBeforeNames extends Omit<Snapshot, 'format' | keyof StoredBindings> {
  format: 1;
  bindings: [string, AddressState][];
}

interface Stored {
  /** Of the snapshot's JSON text. */
  sha256: string;
  snapshot: Snapshot | SnapshotBeforeNames;
}

class DamagedSnapshot extends MeshError {
  constructor(file: string) {
    super('NM_SNAPSHOT_DAMAGED', `${file} is not what was written`, {
      by: 'mesh',
      next: 'Nothing, if namerd is in reach; else look for what changes files there, or for a failing disk.',
    });
  }
}

const WRITE_AFTER_MS = 500;
const UNUSED = 'the last good snapshot is not used';

export class LastGood {
  readonly #file: string;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #take: () => Snapshot;
  #due: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param take builds the snapshot when it is to be written. */
  constructor(stateDir: string, clock: Clock, log: Logger, take: () => Snapshot) {
    this.#dir = stateDir;
    this.#file = join(stateDir, 'last-good.json');
    this.#clock = clock;
    this.#log = log;
    this.#take = take;
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  }

  /** Undefined when there is none, it is of another node, or it can't be read. */
  static read(stateDir: string, node: string, log: Logger): Snapshot | undefined {
    const file = join(stateDir, 'last-good.json');
    try {
      const { sha256, snapshot } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Stored>;
      // What passes was written by us, so its shapes need no second look.
      if (snapshot === undefined || digest(JSON.stringify(snapshot)) !== sha256)
        throw new DamagedSnapshot(file);
      const { format } = snapshot;
      if (snapshot.node === node && (format === 1 || format === 2)) return current(snapshot);
      log.warn({ file, format, ofNode: snapshot.node }, UNUSED);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') log.warn({ file, err: error }, UNUSED);
    }
    return undefined;
  }

  /** Writes soon; changes in between are written together. */
  changed(): void {
    this.#due ??= this.#clock.after(WRITE_AFTER_MS, () => {
      this.#due = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  /** Writes what is due. */
  async close(): Promise<void> {
    if (this.#due !== undefined) {
      this.#due.cancel();
      this.#due = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }
    await this.#writing;
  }

  async #write(): Promise<void> {
    // An old and a new proxy write while both run; in containers both may have the same process id.
    const temporary = join(this.#dir, `.last-good.${randomBytes(6).toString('hex')}`);
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        const snapshot = JSON.stringify(this.#take());
        await file.writeFile(`{"sha256":"${digest(snapshot)}","snapshot":${snapshot}}`);
        await file.sync();
      } finally {
        await file.close();
      }
      renameSync(temporary, this.#file);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      this.#log.warn({ problem: messageOf(error) }, 'the last good snapshot was not written');
    }
  }
}

/** Whether anything that was in use then is judged or routed by request. */
export function servedHttp({ nodeState, addresses }: Snapshot): boolean {
  return (
    (nodeState?.workloads.some(({ http }) => http !== undefined) ?? false) ||
    addresses.some(([, state]) => state.target === 'service' && state.http !== undefined)
  );
}

function current(snapshot: Snapshot | SnapshotBeforeNames): Snapshot {
  if (snapshot.format === 2) return snapshot;
  const { bindings, ...rest } = snapshot;
  return { ...rest, format: 2, addresses: bindings, names: [] };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
