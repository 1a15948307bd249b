/** What node proxies reported last: which workloads speak HBONE through them. */

import { MeshError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { EnrolmentStore } from './report-store.ts';

/** More nodes or workloads than a mesh has; a proxy gone mad is stopped here. */
const MAX_NODES = 20_000;
const MAX_WORKLOADS = 20_000;

export class ReportRefusedError extends MeshError {
  constructor(message: string) {
    super('NM_REPORT_REFUSED', message, { by: 'client', next: 'Check the node proxy that reports.' });
  }
}

export class Enrolment {
  readonly #store: EnrolmentStore;
  readonly #log: Logger;
  readonly #reported: Map<string, ReadonlySet<string>>;
  /** The write under way per node; the next report of the node waits for it. */
  readonly #writes = new Map<string, Promise<void>>();

  private constructor(store: EnrolmentStore, log: Logger, reports: ReadonlyMap<string, readonly string[]>) {
    this.#store = store;
    this.#log = log;
    this.#reported = new Map([...reports].map(([node, workloads]) => [node, new Set(workloads)]));
  }

  /** @throws EnrolmentStoreError: starting without the reports could mean plaintext where there was none. */
  static async load(store: EnrolmentStore, log: Logger): Promise<Enrolment> {
    return new Enrolment(store, log, await store.load());
  }

  has(node: string, workload: string): boolean {
    return this.#reported.get(node)?.has(workload) ?? false;
  }

  /** The keys of the workloads that the node reported last. */
  of(node: string): ReadonlySet<string> {
    return this.#reported.get(node) ?? new Set();
  }

  /**
   * Replaces the node's report: kept first, then in force, so that nobody has used what a crash could forget.
   * @param apply told which workloads changed, when the report is in force
   * @throws ReportRefusedError
   */
  async set(
    node: string,
    workloads: readonly string[],
    apply: (changed: readonly string[]) => void,
  ): Promise<void> {
    if (workloads.length > MAX_WORKLOADS)
      throw new ReportRefusedError(
        `node ${node} reports ${workloads.length} workloads: at most ${MAX_WORKLOADS}`,
      );
    if (!this.#reported.has(node) && this.#reported.size >= MAX_NODES)
      throw new ReportRefusedError(`more than ${MAX_NODES} nodes report`);
    const now = new Set(workloads);
    const turn = (this.#writes.get(node) ?? Promise.resolve()).then(() => this.#replace(node, now, apply));
    this.#writes.set(node, turn);
    try {
      await turn;
    } finally {
      if (this.#writes.get(node) === turn) this.#writes.delete(node);
    }
  }

  async #replace(
    node: string,
    now: ReadonlySet<string>,
    apply: (changed: readonly string[]) => void,
  ): Promise<void> {
    const before = this.of(node);
    const changed = [...before.symmetricDifference(now)];
    if (changed.length === 0) return;
    try {
      await this.#store.save(node, [...now].sort());
    } catch (error) {
      // In force all the same: it is true, and only a restart before the next report could forget it.
      this.#log.error({ err: error, node }, 'an enrolment report could not be kept');
    }
    this.#reported.set(node, now);
    apply(changed);
  }
}
