/** Ready = no blocker is left. Each blocker has a name and says what it waits for. */

export class Readiness {
  readonly #blockers = new Map<string, string>();

  get ready(): boolean {
    return this.#blockers.size === 0;
  }

  get blockers(): Record<string, string> {
    return Object.fromEntries(this.#blockers);
  }

  block(name: string, why: string): void {
    this.#blockers.set(name, why);
  }

  clear(name: string): void {
    this.#blockers.delete(name);
  }

  /** Blocks while `why` is given. */
  set(name: string, why: string | undefined): void {
    if (why === undefined) this.clear(name);
    else this.block(name, why);
  }
}
