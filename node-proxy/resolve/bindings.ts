/**
 * The main thread's side of resolution: watches at namerd what any worker asked for, hands every state to the
 * workers that want it, and remembers the last good one for a start without namerd.
 */

import { LRUCache } from 'lru-cache';
import type { AddressState, BoundTree, Replica } from '#api';
import type { Clock, Timer } from '#base/clock.ts';
import type { Dispose } from '#base/watch.ts';

export interface BindingSource {
  /** `undefined` = the address is nobody's (any more). */
  watchAddress(address: string, onState: (state: AddressState | undefined) => void): Dispose;
}

interface Interest {
  workers: Set<number>;
  state: AddressState | undefined;
  dispose: Dispose;
  /** Runs while a stored state waits for a live one. */
  timer: Timer | undefined;
}

/** States kept for the disk; those of an earlier run that nobody asks for again go first. */
const MAX_REMEMBERED = 20_000;

/** How long namerd, when connected, may take before a stored state is used. */
const LIVE_WITHIN_MS = 500;

const FOREIGN: AddressState = { target: 'foreign' };

export interface StoredStates {
  /** Of an earlier run. */
  states: ReadonlyMap<string, AddressState>;
  /** Whether namerd can answer now: then its word is waited for. */
  connected: () => boolean;
  clock: Clock;
}

export class Bindings {
  readonly #source: BindingSource;
  readonly #send: (worker: number, address: string, state: AddressState) => void;
  readonly #interests = new Map<string, Interest>();
  readonly #lastGood: LRUCache<string, AddressState>;
  readonly #stored: StoredStates;
  readonly #onChange: () => void;

  /**
   * @param stored used until namerd says something newer, unless they could lead to plaintext.
   * @param onChange told when {@link Bindings.snapshot} would differ.
   */
  constructor(
    source: BindingSource,
    send: (worker: number, address: string, state: AddressState) => void,
    stored: StoredStates,
    onChange: () => void,
  ) {
    this.#source = source;
    this.#send = send;
    this.#lastGood = new LRUCache({ max: MAX_REMEMBERED });
    this.#stored = stored;
    for (const [address, state] of stored.states)
      if (!mayDowngrade(state)) this.#lastGood.set(address, state);
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
      state: undefined,
      dispose: () => {},
      timer: undefined,
    };
    this.#interests.set(address, interest);
    this.#useStored(address, interest);
    interest.dispose = this.#source.watchAddress(address, state => this.#changed(address, state ?? FOREIGN));
  }

  unwatch(worker: number, address: string): void {
    const interest = this.#interests.get(address);
    if (interest === undefined) return;
    interest.workers.delete(worker);
    if (interest.workers.size > 0) return;
    interest.dispose();
    interest.timer?.cancel();
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

  #useStored(address: string, interest: Interest): void {
    const state = this.#lastGood.get(address);
    if (state === undefined) return;
    const { connected, clock } = this.#stored;
    const use = () => {
      if (interest.state === undefined) this.#tell(address, interest, state);
    };
    if (connected()) interest.timer = clock.after(LIVE_WITHIN_MS, use);
    else use();
  }

  #tell(address: string, interest: Interest, state: AddressState): void {
    interest.state = state;
    for (const worker of interest.workers) this.#send(worker, address, state);
  }

  #changed(address: string, state: AddressState): void {
    const interest = this.#interests.get(address);
    if (interest === undefined) return;
    interest.timer?.cancel();
    this.#lastGood.set(address, state);
    this.#tell(address, interest, state);
    this.#onChange();
  }
}

/**
 * A replica with an identity that had no HBONE then may have it by now: what is stored must not send it plaintext.
 * Without namerd such an address is refused rather than downgraded.
 */
function mayDowngrade(state: AddressState): boolean {
  const risky = ({ identity, hbone }: Replica) => identity !== '' && !hbone;
  if (state.target === 'workload') return risky(state.replica);
  return state.target === 'service' && state.bound.state === 'bound' && holds(state.bound.tree, risky);
}

function holds(tree: BoundTree, wanted: (replica: Replica) => boolean): boolean {
  if (tree.type === 'union') return tree.branches.some(branch => holds(branch.tree, wanted));
  return tree.type === 'leaf' && tree.replicas.state === 'bound' && tree.replicas.replicas.some(wanted);
}
