/** Every binding of the node, of both kinds, and which of them may be used again after a start without namerd. */

import type { AddressState, BoundTree, MeshClient, NameState, Replica } from '#api';
import type { Clock } from '#base/clock.ts';
import { Bindings } from './bindings.ts';

/** `address`: key `ip:port`. `name`: key as `nameKey` makes it. */
export type BindingKind = 'address' | 'name';

/** A state on its way to a worker. */
export type BoundState =
  | { kind: 'address'; key: string; state: AddressState }
  | { kind: 'name'; key: string; state: NameState };

export interface StoredBindings {
  addresses: readonly (readonly [string, AddressState])[];
  names: readonly (readonly [string, NameState])[];
}

export interface NodeBindingsOptions {
  client: Pick<MeshClient, 'watch'>;
  /** Whether namerd can answer now: then its word is waited for, and only then what is stored is used. */
  connected: () => boolean;
  send: (worker: string, bound: BoundState) => void;
  stored: StoredBindings | undefined;
  clock: Clock;
  /** Told when {@link NodeBindings.snapshot} would differ. */
  onChange: () => void;
}

export class NodeBindings {
  readonly #addresses: Bindings<AddressState>;
  readonly #names: Bindings<NameState>;

  constructor({ client, send, stored, ...rest }: NodeBindingsOptions) {
    this.#addresses = new Bindings<AddressState>({
      ...rest,
      watch: (key, onState) => client.watch('address', key, onState),
      absent: { target: 'foreign' },
      send: (worker, key, state) => send(worker, { kind: 'address', key, state }),
      // Nobody's addresses too: without namerd they are what lets egress go on.
      keeps: (_, state) => !mayDowngrade(state),
      stored: stored?.addresses ?? [],
    });
    this.#names = new Bindings<NameState>({
      ...rest,
      watch: (key, onState) =>
        client.watch('name', key, onState, {
          onRefused: ({ message }) => onState({ state: 'failed', message }),
        }),
      absent: { state: 'bound', tree: { type: 'neg' } },
      send: (worker, key, state) => send(worker, { kind: 'name', key, state }),
      // A name with a dtab of its own is one request's affair.
      keeps: (key, state) => state.state === 'bound' && !key.includes(' ') && !holds(state.tree, risky),
      stored: stored?.names ?? [],
    });
  }

  /** Keys that are watched. */
  get size(): Record<BindingKind, number> {
    return { address: this.#addresses.size, name: this.#names.size };
  }

  watch(worker: string, kind: BindingKind, key: string): void {
    this.#of(kind).watch(worker, key);
  }

  unwatch(worker: string, kind: BindingKind, key: string): void {
    this.#of(kind).unwatch(worker, key);
  }

  /** The worker died and forgot everything that it watched. */
  reset(worker: string): void {
    this.#addresses.reset(worker);
    this.#names.reset(worker);
  }

  /** What is worth keeping on disk. */
  snapshot(): StoredBindings {
    return { addresses: this.#addresses.snapshot(), names: this.#names.snapshot() };
  }

  #of(kind: BindingKind): Pick<Bindings<object>, 'watch' | 'unwatch'> {
    return kind === 'address' ? this.#addresses : this.#names;
  }
}

/**
 * A replica with an identity that had no HBONE then may have it by now: what is stored must not send it plaintext.
 * Without namerd such an address is refused rather than downgraded.
 */
function mayDowngrade(state: AddressState): boolean {
  if (state.target === 'workload') return risky(state.replica);
  return state.target === 'service' && state.bound.state === 'bound' && holds(state.bound.tree, risky);
}

function risky({ identity, hbone }: Replica): boolean {
  return identity !== '' && !hbone;
}

function holds(tree: BoundTree, wanted: (replica: Replica) => boolean): boolean {
  if (tree.type === 'union') return tree.branches.some(branch => holds(branch.tree, wanted));
  return tree.type === 'leaf' && tree.replicas.state === 'bound' && tree.replicas.replicas.some(wanted);
}
