/**
 * What one node reports as enrolled, cut down to workloads that the registry places on that node. A workload that is
 * reported before the registry knows it counts as soon as it does; one that moves away counts no more.
 */

import type { NodeState } from '#api';
import { messageOf } from '#base/errors.ts';
import type { Dispose } from '#base/watch.ts';
import type { MeshSource } from './source.ts';

export interface ReportGateOptions {
  node: string;
  source: MeshSource;
  /** The report with this number, and all before it, has reached every binding; or could not be kept. */
  onReported(seq: number, error?: { code: string; message: string }): void;
}

export class ReportGate {
  readonly #options: ReportGateOptions;
  #enrolled: readonly string[] = [];
  #seq = 0;
  #answered = 0;
  #mine: ReadonlySet<string> | undefined;
  #dispose: Dispose | undefined;
  /** What was handed on last, as text. */
  #handedOn: string | undefined;
  #busy = false;

  constructor(options: ReportGateOptions) {
    this.#options = options;
  }

  take(enrolled: readonly string[], seq: number): void {
    this.#enrolled = enrolled;
    this.#seq = seq;
    if (this.#dispose === undefined) {
      const { source, node } = this.#options;
      this.#dispose = source.watchNode(node).observe(state => this.#placed(state));
    } else void this.#handOn();
  }

  close(): void {
    this.#dispose?.();
    this.#mine = undefined;
  }

  #placed(state: NodeState | undefined | null): void {
    if (state === undefined) return;
    this.#mine = new Set(state?.workloads.map(({ workload }) => workload));
    void this.#handOn();
  }

  /** One at a time; what comes meanwhile is gathered into the next round. */
  async #handOn(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const { source, node, onReported } = this.#options;
    // The first state of the node comes while `observe` is still under way.
    await undefined;
    while (this.#mine !== undefined) {
      const mine = this.#mine;
      const workloads = [...new Set(this.#enrolled)].filter(workload => mine.has(workload)).sort();
      const text = workloads.join('\n');
      const seq = this.#seq;
      if (text === this.#handedOn && seq === this.#answered) break;
      let error: { code: string; message: string } | undefined;
      try {
        if (text !== this.#handedOn) await source.report(node, workloads);
        this.#handedOn = text;
      } catch (cause) {
        error = { code: 'NM_MESH_REPORT', message: `the report could not be kept: ${messageOf(cause)}` };
      }
      if (seq !== this.#answered) onReported(seq, error);
      this.#answered = seq;
      if (error !== undefined) break;
    }
    this.#busy = false;
  }
}
