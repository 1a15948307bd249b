/** Names as they are bound and explained: watched bindings, one per dtab and path however many watch it. */

import type { NameState } from '#api';
import type { Clock } from '#base/clock.ts';
import { Derived } from '#base/derived.ts';
import { SharedWatches } from '#base/shared-watch.ts';
import type { Watchable } from '#base/watch.ts';
import { type Dtab, type Path, parsePath } from '#names';
import type { Activity } from '../namers/index.ts';
import type { Registry } from '../registry/index.ts';
import type { DelegateTree } from './delegate-tree.ts';
import { watchDelegation } from './delegator.ts';
import { type Binding, evaluateName } from './evaluation.ts';
import { KnownReplicas } from './known-replicas.ts';
import type { NamerTable } from './namer-table.ts';
import { sameBinding } from './same-state.ts';

export interface InterpreterOptions {
  namers: NamerTable;
  /** Fills in what is known about addresses from elsewhere. */
  registry?: Registry;
  clock: Clock;
  /** How long a binding that nobody watches stays ready, and how many of them per dtab at the most. */
  lingerMs?: number;
  maxIdle?: number;
}

export class Interpreter {
  readonly #namers: NamerTable;
  readonly #known: KnownReplicas;
  readonly #clock: Clock;
  readonly #lingerMs: number;
  readonly #maxIdle: number;
  /** By the dtab as a watched thing: a dtab of one request is forgotten with the request. */
  readonly #tables = new WeakMap<Watchable<Dtab>, SharedWatches<Binding>>();

  constructor({ namers, registry, clock, lingerMs = 10_000, maxIdle = 1_000 }: InterpreterOptions) {
    this.#namers = namers;
    this.#known = new KnownReplicas(registry);
    this.#clock = clock;
    this.#lingerMs = lingerMs;
    this.#maxIdle = maxIdle;
  }

  /** Nothing is done until it is observed. Bindings are shared by those who pass the same `dtab` object. */
  bind(dtab: Watchable<Dtab>, path: Path): Watchable<Binding> {
    return this.#tableOf(dtab).get(path.show);
  }

  /** As {@link bind}, shared with nobody and forgotten at once: for the dtab of a single request. */
  bindAlone(dtab: Watchable<Dtab>, path: Path): Watchable<Binding> {
    return this.#start(dtab, path);
  }

  /**
   * As {@link bindAlone}, by the mesh's dtab and rules that a request has brought: these win, and lead only to what
   * the mesh has.
   */
  bindWith(dtab: Watchable<Dtab>, local: Dtab, path: Path): Watchable<Binding> {
    return this.#start(dtab, path, local);
  }

  /** Every step and alternative of a name; pending as long as any namer on the way is. Not shared. */
  delegate(dtab: Watchable<Dtab>, path: Path): Watchable<Activity<DelegateTree>> {
    return watchDelegation({ namers: this.#namers, known: this.#known }, dtab, path);
  }

  /** The ids that the namers could bind now, as far as they can tell. */
  names(): Path[] {
    return this.#namers.names();
  }

  /** How many bindings of this dtab are kept. */
  size(dtab: Watchable<Dtab>): number {
    return this.#tables.get(dtab)?.size ?? 0;
  }

  #tableOf(dtab: Watchable<Dtab>): SharedWatches<Binding> {
    let table = this.#tables.get(dtab);
    if (table === undefined) {
      table = new SharedWatches<Binding>({
        clock: this.#clock,
        lingerMs: this.#lingerMs,
        maxIdle: this.#maxIdle,
        start: path => this.#start(dtab, parsePath(path)),
      });
      this.#tables.set(dtab, table);
    }
    return table;
  }

  #start(dtab: Watchable<Dtab>, path: Path, local?: Dtab): Watchable<Binding> {
    const own = local === undefined ? {} : { local };
    const input = { namers: this.#namers, known: this.#known, ...own };
    return new Derived(
      use => evaluateName({ ...input, use, dtab: use('dtab', () => dtab) }, path),
      sameBinding,
    );
  }
}

/** As node proxies are told; undefined while nothing is known yet, for then nothing is said. */
export function nameStateOf(binding: Binding): NameState | undefined {
  if (binding.state === 'pending') return undefined;
  if (binding.state === 'failed') return { state: 'failed', message: binding.error.message };
  return { state: 'bound', tree: binding.value };
}
