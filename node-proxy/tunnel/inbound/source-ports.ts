/**
 * Source ports for connections in a caller's name. A plaintext caller's own connection and ours towards the
 * application have the same addresses and the same destination port; with the same source port too, connection
 * tracking would take one for the other and break both. So we choose a port that the caller does not use here.
 */

/** Linux' default range of ephemeral ports; callers use it as well, hence the check. */
const FIRST = 32_768;
const LAST = 60_999;
const TRIES = 64;

export class SourcePorts {
  /** By caller's IP: ports of its open connections, and those chosen for it. */
  readonly #used = new Map<string, Set<number>>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Callers that have open connections. */
  get callers(): number {
    return this.#used.size;
  }

  /**
   * @param callersPort of the caller's own connection.
   * @returns undefined when no free port was found: then the kernel has to pick.
   */
  claim(ip: string, callersPort: number): { port: number | undefined; release: () => void } {
    const used = this.#used.get(ip) ?? new Set();
    this.#used.set(ip, used);
    used.add(callersPort);
    const port = this.#pick(used);
    if (port !== undefined) used.add(port);
    let held = true;
    const release = () => {
      // A second time it would take the ports from who claimed them meanwhile.
      if (!held) return;
      held = false;
      used.delete(callersPort);
      if (port !== undefined) used.delete(port);
      if (used.size === 0) this.#used.delete(ip);
    };
    return { port, release };
  }

  #pick(used: ReadonlySet<number>): number | undefined {
    for (let i = 0; i < TRIES; i++) {
      const port = FIRST + Math.floor(this.#random() * (LAST - FIRST + 1));
      if (!used.has(port)) return port;
    }
    return undefined;
  }
}
