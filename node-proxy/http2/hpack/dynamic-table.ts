/**
 * The fields that the peer's encoder had us remember on this connection (RFC 7541 §2.3.2, §4): first in,
 * first out, bounded in bytes. Invariant: `size` is the sum of the entries' sizes and never above `capacity`.
 */

import type { Header } from './header.ts';

/** What each entry costs beyond its octets (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;

export class DynamicTable {
  /** Oldest first; those before `#first` are gone. */
  readonly #entries: (Header | undefined)[] = [];
  #first = 0;
  #size = 0;
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get length(): number {
    return this.#entries.length - this.#first;
  }

  /** @param age 0 is the newest. */
  at(age: number): Header | undefined {
    return age < this.length ? this.#entries[this.#entries.length - 1 - age] : undefined;
  }

  add(header: Header): void {
    const bytes = sizeOf(header);
    this.#makeRoom(bytes);
    // An entry larger than the table empties it and is not kept (RFC 7541 §4.4).
    if (bytes > this.#capacity) return;
    this.#entries.push(header);
    this.#size += bytes;
  }

  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#makeRoom(0);
  }

  #makeRoom(bytes: number): void {
    while (this.#size + bytes > this.#capacity && this.length > 0) {
      this.#size -= sizeOf(this.#entries[this.#first]!);
      this.#entries[this.#first++] = undefined;
    }
    if (this.#first > 64 && this.#first > this.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

export function sizeOf([name, value]: Header): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}
