/** What a client watches: one watch per key, however many listeners, with the last state known across connections. */

import type { Dispose } from '#base/watch.ts';
import type { ClientLine, ServerLine, WatchKind } from './mesh-protocol.ts';

/** @param state undefined when namerd says that the key does not exist. */
export type OnState<T> = (state: T | undefined, version: string) => void;
export type OnRefused = (error: { code: string; message: string }) => void;

interface Listener {
  onState: OnState<unknown>;
  onRefused: OnRefused | undefined;
}

interface Watch {
  id: number;
  kind: WatchKind;
  key: string;
  listeners: Set<Listener>;
  known: { version: string; state: unknown } | undefined;
}

export interface WatchTableOptions {
  /** Sends a line if there is a connection, else does nothing: {@link WatchTable.lines} brings it up later. */
  send(line: ClientLine): void;
  /** A listener threw, or a watch without `onRefused` was refused. */
  onProblem(message: string, error: unknown): void;
}

export class WatchTable {
  readonly #options: WatchTableOptions;
  readonly #byKey = new Map<string, Watch>();
  readonly #byId = new Map<number, Watch>();
  #lastId = 0;

  constructor(options: WatchTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** @param known what the caller has already, say from disk; it is not announced, only resumed from. */
  add(
    kind: WatchKind,
    key: string,
    listener: Listener,
    known: { version: string; state: unknown } | undefined,
  ): Dispose {
    const name = `${kind} ${key}`;
    let watch = this.#byKey.get(name);
    if (watch === undefined) {
      this.#lastId += 1;
      watch = { id: this.#lastId, kind, key, listeners: new Set([listener]), known };
      this.#byKey.set(name, watch);
      this.#byId.set(watch.id, watch);
      this.#options.send(lineOf(watch));
    } else {
      watch.listeners.add(listener);
      if (watch.known !== undefined) this.#tell(watch, listener);
    }
    const { id, listeners } = watch;
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#byKey.delete(name);
      this.#byId.delete(id);
      this.#options.send({ op: 'unwatch', id });
    };
  }

  /** What a new connection has to ask for. */
  *lines(): Iterable<ClientLine> {
    for (const watch of this.#byId.values()) yield lineOf(watch);
  }

  take(line: Extract<ServerLine, { id: number }>): void {
    const watch = this.#byId.get(line.id);
    // Lines that were under way when the watch ended.
    if (watch === undefined) return;
    if ('error' in line) return this.#refused(watch, line.error);
    if (!('state' in line) && !('deleted' in line)) return;
    watch.known = { version: line.version, state: 'state' in line ? line.state : undefined };
    for (const listener of [...watch.listeners])
      if (watch.listeners.has(listener)) this.#tell(watch, listener);
  }

  #refused(watch: Watch, error: { code: string; message: string }): void {
    for (const { onRefused } of [...watch.listeners]) {
      if (onRefused === undefined)
        this.#options.onProblem(`namerd refused to watch ${watch.kind} '${watch.key}'`, error);
      else this.#guard(() => onRefused(error));
    }
  }

  #tell(watch: Watch, { onState }: Listener): void {
    const { known } = watch;
    if (known !== undefined) this.#guard(() => onState(known.state, known.version));
  }

  /** One listener's fault must not cost another one its state. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onProblem('a listener of the mesh API failed', error);
    }
  }
}

function lineOf({ id, kind, key, known }: Watch): ClientLine {
  return { op: 'watch', id, kind, key, ...(known === undefined ? {} : { version: known.version }) };
}
