/**
 * `Service` and `Workload` documents from the `*.yaml` files of a directory, read again when they change.
 *
 * Invariants: a file with a problem changes nothing, its last good content stays in force (at the first reading,
 * whatever of it is good); all problems of a file are told at once, in `status` and in the log.
 */

import { join } from 'node:path';
import { type Clock, delay, systemClock } from '#base/clock.ts';
import { type Problem, parseYaml } from '#base/config.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import { type Logger, silentLog } from '#base/log.ts';
import { Cell } from '#base/watch.ts';
import { errorStatus, type ObjectStatus, type Resource, readResources } from '../../resources/index.ts';
import { DirectoryFiles, type FileChange } from '../../store/file/directory-files.ts';
import { watchDirectory } from '../../store/file/directory-watch.ts';
import { keyOf, type RegistrySnapshot, type RegistrySource, type Service, type Workload } from '../model.ts';
import { sameDocument } from './merge.ts';

export interface DirectorySourceOptions {
  dir: string;
  clock?: Clock;
  log?: Logger;
  /** How long to wait after a change, so that a file is not read while it is being written. */
  settleMs?: number;
}

interface FileContent {
  services: readonly Service[];
  workloads: readonly Workload[];
}

const OUR_FILES = /^[^.].*\.ya?ml$/;
const NOTHING: FileContent = { services: [], workloads: [] };

export class DirectorySource implements RegistrySource {
  readonly snapshot = new Cell<RegistrySnapshot>({ services: [], workloads: [] });
  readonly status = new Cell<readonly ObjectStatus[]>([], sameDocument);
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #settleMs: number;
  readonly #files: DirectoryFiles;
  readonly #contents = new Map<string, FileContent>();
  /** By file; '' for the directory itself. */
  readonly #bad = new Map<string, ObjectStatus>();
  readonly #stopped = new AbortController();
  #unwatch: () => void = () => {};

  private constructor({ dir, clock = systemClock, log = silentLog, settleMs = 20 }: DirectorySourceOptions) {
    this.#dir = dir;
    this.#clock = clock;
    this.#log = log;
    this.#settleMs = settleMs;
    this.#files = new DirectoryFiles(dir, file => OUR_FILES.test(file));
  }

  /** Resolves when every file has been read; a directory that can't be read is in `status` and tried again. */
  static async open(options: DirectorySourceOptions): Promise<DirectorySource> {
    const source = new DirectorySource(options);
    await source.refresh();
    source.#unwatch = watchDirectory(source.#dir, source.#clock, () => source.#settleAndRefresh());
    // What changed between the reading and the watch.
    await source.refresh();
    return source;
  }

  close(): void {
    this.#stopped.abort();
    this.#unwatch();
  }

  /** Takes in what has changed since the last time. */
  async refresh(): Promise<void> {
    let changes: FileChange[];
    try {
      changes = await this.#files.changes();
      this.#bad.delete('');
    } catch (error) {
      changes = [];
      this.#refuse('', [`${this.#dir}: the registry directory can't be read: ${messageOf(error)}`]);
    }
    if (this.#stopped.signal.aborted) return;
    for (const change of changes) this.#apply(change);
    this.status.set([...this.#bad.values()]);
    if (changes.length > 0) this.#publish();
  }

  async #settleAndRefresh(): Promise<void> {
    try {
      await delay(this.#clock, this.#settleMs, this.#stopped.signal);
    } catch {
      return; // Closed meanwhile: the only way in which a delay fails.
    }
    await this.refresh();
  }

  #apply(change: FileChange): void {
    const { file } = change;
    if (change.state === 'gone') {
      this.#contents.delete(file);
      this.#bad.delete(file);
    } else if (change.state === 'unreadable')
      this.#refuse(file, [`${join(this.#dir, file)}: can't be read: ${change.message}`]);
    else this.#read(file, change.text);
  }

  #read(file: string, text: string): void {
    const name = join(this.#dir, file);
    const { resources, problems } = readResources(text, name);
    const all = [...problems, ...misplaced(resources, text, name)];
    const before = this.#contents.get(file);
    if (all.length === 0) this.#bad.delete(file);
    else this.#refuse(file, errorStatus('', '', name, all).messages);
    if (all.length === 0 || before === undefined)
      this.#contents.set(file, contentOf(resources, before ?? NOTHING));
  }

  #refuse(file: string, messages: readonly string[]): void {
    const status: ObjectStatus = {
      kind: '',
      key: '',
      source: file === '' ? this.#dir : join(this.#dir, file),
      state: 'error',
      messages,
    };
    if (sameDocument(this.#bad.get(file), status)) return;
    this.#bad.set(file, status);
    const err = new RegistryFileError(status.source, messages);
    this.#log.error({ err }, 'a registry file is not in force; its last good content stays');
  }

  #publish(): void {
    const files = [...this.#contents].sort(([a], [b]) => (a < b ? -1 : 1));
    this.snapshot.set({
      services: files.flatMap(([file, { services }]) => services.map(value => this.#sourced(file, value))),
      workloads: files.flatMap(([file, { workloads }]) => workloads.map(value => this.#sourced(file, value))),
    });
  }

  #sourced<T>(file: string, value: T): { value: T; source: string } {
    return { value, source: join(this.#dir, file) };
  }
}

export class RegistryFileError extends MeshError {
  constructor(source: string, messages: readonly string[]) {
    super('NM_REGISTRY_FILE', messages.join('\n'), { by: 'config', next: `Correct ${source}.` });
  }
}

/** Kinds that don't belong here, at their place in the file. */
function misplaced(resources: readonly Resource[], text: string, file: string): Problem[] {
  if (resources.every(({ kind }) => kind === 'Service' || kind === 'Workload')) return [];
  const { documents, problems } = parseYaml(text, file);
  for (const document of documents) {
    const kind = document.fields().get('kind');
    const misplaced = resources.find(resource => resource.kind === kind?.value)?.kind;
    if (misplaced === undefined || misplaced === 'Service' || misplaced === 'Workload') continue;
    kind?.problem(
      `${misplaced === 'HTTPRoute' ? 'an' : 'a'} ${misplaced} does not belong into the registry: apply it to namerd's storage (namerctl apply -f)`,
    );
  }
  return problems.list;
}

/** Documents that say the same as before stay the same objects, so that nobody compares them again. */
function contentOf(resources: readonly Resource[], before: FileContent): FileContent {
  const services = resources.flatMap(each => (each.kind === 'Service' ? each.value : []));
  const workloads = resources.flatMap(each => (each.kind === 'Workload' ? each.value : []));
  return { services: keepSame(services, before.services), workloads: keepSame(workloads, before.workloads) };
}

function keepSame<T extends { namespace: string; name: string }>(now: T[], before: readonly T[]): T[] {
  const known = new Map(before.map(each => [keyOf(each), each]));
  return now.map(each => {
    const old = known.get(keyOf(each));
    return old !== undefined && sameDocument(old, each) ? old : each;
  });
}
