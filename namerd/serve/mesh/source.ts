/** What the mesh API serves, as the rest of namerd provides it. */

import type { AddressState, NameState, NodeState, TrustState } from '#api';
import type { Watchable } from '#base/watch.ts';

/**
 * A state that clients watch. `undefined`: not known (yet), so nothing is sent and clients keep what they have, also
 * when a state was known before. `null`: known not to exist, which clients are told (a tombstone).
 * Equal states should be built with their fields and items in the same order: the version is a hash of the JSON text.
 */
export type Watched<T> = Watchable<T | undefined | null>;

export interface MeshSource {
  /** @param key canonical `ip:port`. */
  watchAddress(key: string): Watched<AddressState>;
  /** @param key a path, or a path and a dtab behind a space; may throw a MeshError for one that can't be read. */
  watchName(key: string): Watched<NameState>;
  watchNode(node: string): Watched<NodeState>;
  trust: Watched<TrustState>;
  /**
   * The workloads (`<namespace>/<name>`, all of this node) whose HBONE the node's proxy terminates, replacing what it
   * reported before. Resolves when every binding knows. A node that disconnects has not taken anything back.
   */
  report(node: string, workloads: readonly string[]): Promise<void> | void;
}
