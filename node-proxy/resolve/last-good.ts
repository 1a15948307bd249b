/**
 * The last good state of the node on disk, so that a proxy starts while namerd is away: workloads and
 * policies, trust roots, bindings. Never keys. Written atomically; a damaged file is as good as none.
 */

import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { AddressState, NodeState, TrustState } from '#api';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';

export interface Snapshot {
  format: 1;
  node: string;
  /** Milliseconds since the epoch. */
  savedAt: number;
  nodeState: NodeState | undefined;
  trust: TrustState | undefined;
  bindings: [string, AddressState][];
}

const WRITE_AFTER_MS = 500;

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
      const snapshot = JSON.parse(readFileSync(file, 'utf8')) as Snapshot;
      if (snapshot.format === 1 && snapshot.node === node && Array.isArray(snapshot.bindings))
        return snapshot;
      log.warn({ file }, 'the last good snapshot is of another node or format and is not used');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT')
        log.warn({ file, err: error }, 'the last good snapshot is unreadable and is not used');
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
    // The process id keeps an old and a new proxy apart while both run.
    const temporary = join(this.#dir, `.last-good.${process.pid}`);
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify(this.#take()));
        await file.sync();
      } finally {
        await file.close();
      }
      renameSync(temporary, this.#file);
    } catch (error) {
      this.#log.warn({ problem: messageOf(error) }, 'the last good snapshot was not written');
    }
  }
}
