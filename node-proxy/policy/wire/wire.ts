/**
 * A byte stream as the HTTP codecs see it: a side of a relay that also takes text. Three kinds: sockets, streams
 * of a tunnel, and pairs within this thread.
 */

import type { Side, SideEvents } from '../../tunnel/index.ts';

export type WireEvents = SideEvents;

export interface Wire extends Side {
  /** Chunks given to `onData` are overwritten by the next read: who keeps one copies it. */
  readonly ephemeral: boolean;
  /** After `end`: all that was written has left this process, or never will. */
  readonly flushed: boolean;
  /** @param text latin1. @returns false when the far end is slower: wait for `onDrain`. */
  writeText(text: string): boolean;
  /** What is written until `uncork` leaves together. */
  cork(): void;
  uncork(): void;
}

/** A chunk that may be kept after `onData` has returned. */
export function owned(wire: Wire, chunk: Buffer): Buffer {
  return wire.ephemeral ? Buffer.from(chunk) : chunk;
}
