/**
 * The main thread's side of resolution: watches at namerd what any worker asked for, hands every state to the
 * workers that want it, and remembers the last good one for a start without namerd.
 */

import { LRUCache } from 'lru-cache';
import type { AddressState } from '#api';
import type { Dispose } from '#base/watch.ts';

export interface BindingSource {
  /** `undefined` = the address is nobody's (any more). */
  watchAddress(address: string, onState: (state: AddressState | undefined) => void): Dispose;
}

interface Interest {
  workers: Set<number>;
  state: AddressState | undefined;
  dispose: Dispose;
}

/** States kept for the disk; those of an earlier run that nobody asks for again go first. */
const MAX_REMEMBERED = 20_000;

const FOREIGN: AddressState = { target: 'foreign' };

export class Bindings {
  readonly #source: BindingSource;
  readonly #send: (worker: number, address: string, state: AddressState) => void;
  readonly #interests = new Map<string, Interest>();
  readonly #lastGood: LRUCache<string, AddressState>;
  readonly #onChange: () => void;

  /**
   * @param lastGood states of an earlier run, used until namerd says something newer.
   * @param onChange told when {@link Bindings.snapshot} would differ.
   */
  constructor(
    source: BindingSource,
    send: (worker: number, address: string, state: AddressState) => void,
    lastGood: ReadonlyMap<string, AddressState>,
    onChange: () => void,
  ) {
    this.#source = source;
    this.#send = send;
    this.#lastGood = new LRUCache({ max: MAX_REMEMBERED });
    for (const [address, state] of lastGood) this.#lastGood.set(address, state);
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#interests.size;
  }

  watch(worker: number, address: string): void {
    const known = this.#interests.get(address);
    if (known !== undefined) {
      known.workers.add(worker);
      if (known.state !== undefined) this.#send(worker, address, known.state);
      return;
    }
    const interest: Interest = {
      workers: new Set([worker]),
      state: this.#lastGood.get(address),
      dispose: () => {},
    };
    this.#interests.set(address, interest);
    if (interest.state !== undefined) this.#send(worker, address, interest.state);
    interest.dispose = this.#source.watchAddress(address, state => this.#changed(address, state ?? FOREIGN));
  }

  unwatch(worker: number, address: string): void {
    const interest = this.#interests.get(address);
    if (interest === undefined) return;
    interest.workers.delete(worker);
    if (interest.workers.size > 0) return;
    interest.dispose();
    this.#interests.delete(address);
    this.#lastGood.delete(address);
    this.#onChange();
  }

  /**
   * A worker died: it watches nothing any more. What only it watched is kept for its successor, until the next
   * such death shows that the successor did not ask.
   */
  reset(worker: number): void {
    for (const [address, { workers }] of this.#interests)
      if (workers.size === 0) this.unwatch(worker, address);
    for (const { workers } of this.#interests.values()) workers.delete(worker);
  }

  /** All known states, for the disk. Foreign ones too: without namerd they are what lets egress go on. */
  snapshot(): [string, AddressState][] {
    return [...this.#lastGood.entries()];
  }

  #changed(address: string, state: AddressState): void {
    const interest = this.#interests.get(address);
    if (interest === undefined) return;
    interest.state = state;
    this.#lastGood.set(address, state);
    for (const worker of interest.workers) this.#send(worker, address, state);
    this.#onChange();
  }
}
