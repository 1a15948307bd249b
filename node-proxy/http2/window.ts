/**
 * The receiving side of flow control (RFC 9113 §5.2, §6.9): how much the peer may still send, and when to
 * tell it that it may send more. Updates are batched: one per half window, since each costs a frame, and a
 * peer with half a window left is not delayed.
 *
 *   announced = available + owed + held     (held: delivered, not yet consumed by the user)
 */
export class ReceiveWindow {
  #half: number;
  #available: number;
  #owed = 0;

  constructor(size: number) {
    this.#half = size >>> 1;
    this.#available = size;
  }

  /** The peer sent `bytes`. @returns false when that is more than it may. */
  take(bytes: number): boolean {
    this.#available -= bytes;
    return this.#available >= 0;
  }

  /** The user has consumed `bytes`. @returns the increment to announce now, or 0. */
  give(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed < this.#half || this.#owed === 0) return 0;
    const increment = this.#owed;
    this.#owed = 0;
    this.#available += increment;
    return increment;
  }

  /**
   * Our own SETTINGS_INITIAL_WINDOW_SIZE came into force and is smaller by `bytes` (§6.9.2).
   * @returns the increment to announce now, or 0: of the smaller window half may be owed already, and a peer that has
   * none left sends nothing that would ask for it.
   */
  shrink(bytes: number): number {
    this.#available -= bytes;
    this.#half = Math.max(1, this.#half - (bytes >>> 1));
    return this.give(0);
  }
}
