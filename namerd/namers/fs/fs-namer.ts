/** `io.l5d.fs`: `/#/io.l5d.fs/<directory>…/<file>[/rest]`, endpoints from files below a root directory. */

import { resolve } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Derived } from '#base/derived.ts';
import { type Logger, silentLog } from '#base/log.ts';
import { SharedWatches } from '#base/shared-watch.ts';
import type { Watchable } from '#base/watch.ts';
import { Path, utf8Of } from '#names';
import { watchDirectory } from '../../store/file/directory-watch.ts';
import { replicasOf, stableReplicas } from '../endpoints.ts';
import type { Hosts } from '../hosts.ts';
import {
  bound,
  constant,
  failed,
  type Namer,
  type NamerAnswer,
  NO_ANSWER,
  ok,
  PENDING,
  sameAnswer,
} from '../namer.ts';
import { Produced } from '../produced.ts';
import { type FileState, watchFile } from './watched-file.ts';

export interface FsNamerOptions {
  /** Below `/#`. */
  prefix?: Path;
  rootDir: string;
  clock: Clock;
  hosts: Hosts;
  log?: Logger;
  /** How long to wait after a change, so that a file is not read while it is being written. */
  settleMs?: number;
}

const LINGER_MS = 60_000;
const MAX_IDLE = 1_000;
/** Deeper names have no answer. */
const MAX_ELEMS = 64;

export class FsNamer implements Namer {
  readonly kind = 'io.l5d.fs';
  readonly prefix: Path;
  readonly openElems = 0;
  readonly #hosts: Hosts;
  readonly #files: SharedWatches<FileState>;
  readonly #directories: SharedWatches<number>;

  constructor({
    prefix = Path.of('io.l5d.fs'),
    rootDir,
    clock,
    hosts,
    log = silentLog,
    settleMs = 20,
  }: FsNamerOptions) {
    this.prefix = Path.of('#').concat(prefix);
    this.#hosts = hosts;
    const root = resolve(rootDir);
    const limits = { clock, lingerMs: LINGER_MS, maxIdle: MAX_IDLE };
    this.#directories = new SharedWatches<number>({
      ...limits,
      start: directory => {
        let revision = 0;
        return new Produced(0, set => watchDirectory(directory, clock, async () => set(++revision)));
      },
    });
    this.#files = new SharedWatches<FileState>({
      ...limits,
      start: key => {
        const elems = JSON.parse(key) as string[];
        const options = { root, elems, directories: this.#directories, clock, log, settleMs };
        return new Produced<FileState>({ state: 'pending' }, set => watchFile(options, set), sameState);
      },
    });
  }

  lookup(rest: Path): Watchable<NamerAnswer> {
    const elems = rest.elems.slice(0, MAX_ELEMS).map(utf8Of);
    // The residual may hold anything, so a strange element only ends what can be a file's name.
    const strange = elems.findIndex(elem => !isFileName(elem));
    const names = strange < 0 ? elems : elems.slice(0, strange);
    if (names.length === 0) return constant(NO_ANSWER);
    const stable = stableReplicas();
    return new Derived<NamerAnswer>(use => {
      const file = use('file', () => this.#files.get(JSON.stringify(names)));
      if (file.state === 'pending') return PENDING;
      if (file.state === 'neg') return NO_ANSWER;
      if (file.state === 'failed') return failed(file.error);
      const replicas = replicasOf(use, this.#hosts, file.endpoints);
      if (replicas === undefined) return PENDING;
      const id = this.prefix.concat(rest.take(file.consumed));
      return ok(bound(id, rest.drop(file.consumed), stable(replicas)));
    }, sameAnswer);
  }

  close(): void {
    this.#files.close();
    this.#directories.close();
  }
}

function isFileName(elem: string): boolean {
  return elem !== '.' && elem !== '..' && !/[/\\\0\ufffd]/.test(elem) && Buffer.byteLength(elem) <= 255;
}

function sameState(a: FileState, b: FileState): boolean {
  if (a.state === 'ok' && b.state === 'ok')
    return a.consumed === b.consumed && JSON.stringify(a.endpoints) === JSON.stringify(b.endpoints);
  if (a.state === 'failed' && b.state === 'failed') return a.error.message === b.error.message;
  return a.state === b.state;
}
