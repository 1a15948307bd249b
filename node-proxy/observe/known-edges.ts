/**
 * The edges that the page of metrics shows. Workloads come and go under ever new names: what is not used for an hour is
 * dropped, and beyond a number the longest unused. What is in use stays, for a counter that begins anew again and again
 * says nothing: each worker bounds by itself how many edges it counts apart.
 */

const IDLE_MS = 3_600_000;
/** Each edge takes some 20 lines of the page. */
const MAX_EDGES = 5_000;
/** Used since then it is in use. */
const IN_USE_MS = 60_000;

export class KnownEdges<Edge> {
  /** By labels as text, longest unused first. */
  readonly #edges = new Map<string, { seenMs: number; edge: Edge }>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The edge is in use. */
  seen(key: string, make: () => Edge): Edge {
    const known = this.#edges.get(key) ?? { seenMs: 0, edge: make() };
    known.seenMs = this.#now();
    this.#edges.delete(key);
    this.#edges.set(key, known);
    return known.edge;
  }

  /**
   * @param drop takes the edge off the page.
   * @param open true for edges that can't be dropped, however long nothing happened.
   */
  forgetIdle(drop: (edge: Edge) => void, open: (key: string) => boolean = () => false): void {
    const nowMs = this.#now();
    for (const [key, { seenMs, edge }] of this.#edges) {
      const mayStayMs = this.#edges.size > MAX_EDGES ? IN_USE_MS : IDLE_MS;
      if (nowMs - seenMs < mayStayMs) return;
      if (open(key)) continue;
      this.#edges.delete(key);
      drop(edge);
    }
  }
}
