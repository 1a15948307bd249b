/** Who claims what may belong to one only: the winner is the first claimant by name, whatever came first in time. */

export class Claims {
  readonly #claimants = new Map<string, Set<string>>();
  /** Things with more than one claimant. */
  readonly #contested = new Set<string>();

  add(thing: string, claimant: string): void {
    let set = this.#claimants.get(thing);
    if (set === undefined) {
      set = new Set();
      this.#claimants.set(thing, set);
    }
    set.add(claimant);
    if (set.size > 1) this.#contested.add(thing);
  }

  remove(thing: string, claimant: string): void {
    const set = this.#claimants.get(thing);
    if (set === undefined) return;
    set.delete(claimant);
    if (set.size < 2) this.#contested.delete(thing);
    if (set.size === 0) this.#claimants.delete(thing);
  }

  winner(thing: string): string | undefined {
    const set = this.#claimants.get(thing);
    if (set === undefined) return undefined;
    let first: string | undefined;
    for (const claimant of set) if (first === undefined || claimant < first) first = claimant;
    return first;
  }

  /** Each contested thing with its claimants, the winner first. */
  *contested(): Generator<{ thing: string; claimants: string[] }> {
    for (const thing of [...this.#contested].sort())
      yield { thing, claimants: [...(this.#claimants.get(thing) ?? [])].sort() };
  }
}
