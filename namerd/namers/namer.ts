/** What a namer is: it answers the names below its prefix, and its answers change while they are watched. */

import type { ClientSettings, ReplicaSet } from '#api';
import { MeshError } from '#base/errors.ts';
import type { Watchable } from '#base/watch.ts';
import { leaf, type NameTree, NEG, type Path } from '#names';

/** A value that may still be on its way, and may fail. */
export type Activity<T> =
  | { readonly state: 'pending' }
  | { readonly state: 'ok'; readonly value: T }
  | { readonly state: 'failed'; readonly error: MeshError };

/** The end of a name: who serves it. `id` and `residual` together are the path that was asked for. */
export interface BoundName {
  readonly type: 'bound';
  readonly id: Path;
  readonly residual: Path;
  readonly replicas: ReplicaSet;
  /** How the replicas are used, where somebody has said it. */
  readonly client?: ClientSettings;
}

/** Another name to go on with. */
export interface OtherName {
  readonly type: 'path';
  readonly path: Path;
}

export type NamerTree = NameTree<BoundName | OtherName>;
export type NamerAnswer = Activity<NamerTree>;

export interface Namer {
  /** The configured kind, such as `io.l5d.fs`. */
  readonly kind: string;
  /** With its name space: `/#/io.l5d.fs`. */
  readonly prefix: Path;
  /**
   * How many elements behind the prefix let whoever writes the name decide which hosts are meant. A name that a
   * request's own dtab has made gets an answer only where the mesh's rules wrote these. 0: hosts are those that the
   * operator wrote down, whatever the name.
   */
  readonly openElems: number;
  /** @param rest what stands behind the prefix. Nothing is done for it until it is observed. */
  lookup(rest: Path): Watchable<NamerAnswer>;
  /** The ids that it could bind now, where it can tell. */
  names?(): Path[];
}

/** Any refusal or failure of a namer. */
export class NamerError extends MeshError {
  constructor(message: string, next: string, cause?: unknown) {
    super('NM_NAMER', message, { by: 'config', next, cause });
  }
}

/** `/$/x` for an x that is on no list. Names never load code, so this is final. */
export class UnknownNamerError extends MeshError {
  constructor(path: Path, known: readonly string[]) {
    super('NM_UNKNOWN_NAMER', `unknown namer '${path.take(2)}' for path: ${path}`, {
      by: 'config',
      next: `Below /$ there are: ${known.join(', ')}.`,
    });
  }
}

// === Answers ===

export const PENDING: Activity<never> = Object.freeze({ state: 'pending' });

export function ok<T>(value: T): Activity<T> {
  return { state: 'ok', value };
}

export function failed(error: MeshError): Activity<never> {
  return { state: 'failed', error };
}

export const NO_ANSWER: NamerAnswer = ok(NEG);

export function goOn(path: Path): NamerTree {
  return leaf({ type: 'path', path });
}

export function bound(id: Path, residual: Path, replicas: ReplicaSet, client?: ClientSettings): NamerTree {
  return leaf({ type: 'bound', id, residual, replicas, ...(client === undefined ? {} : { client }) });
}

/** True for answers that say the same; replica sets and settings are compared as objects. */
export function sameAnswer(a: NamerAnswer, b: NamerAnswer): boolean {
  if (a === b) return true;
  if (a.state === 'failed' && b.state === 'failed') return a.error.message === b.error.message;
  if (a.state !== 'ok' || b.state !== 'ok') return a.state === b.state;
  const [x, y] = [a.value, b.value];
  if (x.type !== 'leaf' || y.type !== 'leaf')
    return x.type === y.type && x.type !== 'alt' && x.type !== 'union';
  if (x.value.type === 'path') return y.value.type === 'path' && x.value.path.equals(y.value.path);
  return (
    y.value.type === 'bound' &&
    x.value.replicas === y.value.replicas &&
    x.value.client === y.value.client &&
    x.value.id.equals(y.value.id) &&
    x.value.residual.equals(y.value.residual)
  );
}

/** An answer that never changes. */
export function constant<T>(value: T): Watchable<T> {
  return {
    current: value,
    observe(listener) {
      listener(value);
      return () => {};
    },
  };
}
