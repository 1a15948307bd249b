/**
 * A byte stream as the HTTP codecs see it: a side of a relay that also takes text. Three kinds: sockets, streams
 * of a tunnel, and pairs within this thread.
 */

import type { Side, SideEvents } from '../../tunnel/index.ts';

export type WireEvents = SideEvents;

export interface Wire extends Side {
  /** Also true once its endpoint is to be reached another way. */
  retired?: boolean;
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

/** Up to here a socket takes a string for less than a buffer: it is copied to the stack. */
const TEXT_BYTES = 16 * 1024;

/**
 * A head and chunk[from…until) in one write: two cost the kernel's work twice, and `writev` between `cork` and `uncork`
 * costs more than a copy of all bytes. Keeps nothing of the chunk.
 * @param text latin1
 */
export function writeTogether(wire: Wire, text: string, chunk: Buffer, from: number, until: number): boolean {
  const bytes = until - from;
  // Others than sockets turn texts into buffers themselves.
  if (wire.ephemeral && text.length + bytes <= TEXT_BYTES)
    return wire.writeText(bytes === 0 ? text : text + chunk.toString('latin1', from, until));
  const whole = Buffer.allocUnsafe(text.length + bytes);
  whole.write(text, 'latin1');
  chunk.copy(whole, text.length, from, until);
  return wire.write(whole);
}
