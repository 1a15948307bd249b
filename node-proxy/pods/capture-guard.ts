/**
 * Looks after the capture rules of every enrolled pod, one pod at a time, for ever: what something else
 * flushed is put back. A pod that lost its rules would otherwise talk past the mesh until somebody notices.
 */

import type { Clock, Timer } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import { type Capture, type CaptureOptions, captureRules } from '#capture';
import type { Pod } from './pod.ts';

/** Every pod is looked at about this often; many pods are spread over it. Milliseconds. */
export const LOOK_EVERY_MS = 5_000;
/** Never more than one look in this time, however many pods there are. */
const LEAST_GAP_MS = 50;

export class CaptureGuard {
  /** Times that rules had to be put back. */
  repairs = 0;
  /** Times that looking or repairing failed. */
  failures = 0;
  readonly #capture: Capture;
  readonly #options: () => CaptureOptions;
  readonly #pods: () => Pod[];
  readonly #clock: Clock;
  readonly #log: Logger;
  #queue: Pod[] = [];
  /** Between two looks in this round, milliseconds. */
  #gapMs = LOOK_EVERY_MS;
  #timer: Timer | undefined;
  #closed = false;

  constructor(capture: Capture, options: () => CaptureOptions, pods: () => Pod[], clock: Clock, log: Logger) {
    this.#capture = capture;
    this.#options = options;
    this.#pods = pods;
    this.#clock = clock;
    this.#log = log;
    this.#schedule();
  }

  /** Looks at one pod now and repairs it. @returns what was wrong, empty if nothing. */
  check(pod: Pod): Promise<readonly string[]> {
    return pod.inTurn(async () => {
      if (pod.state.is !== 'inside') return [];
      const rules = captureRules(this.#options());
      const { state, differences } = await this.#capture.inspect(pod.netns.path, rules);
      if (state === 'complete') return [];
      await this.#capture.apply(pod.netns.path, rules);
      // A pod that was running when it was enrolled loses its sparing rules here: that is no repair.
      if (!pod.sparing) return differences;
      pod.sparing = false;
      return [];
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#closed) return;
    if (this.#queue.length === 0) {
      this.#queue = this.#pods();
      this.#gapMs = Math.max(LOOK_EVERY_MS / Math.max(this.#queue.length, 1), LEAST_GAP_MS);
    }
    this.#timer = this.#clock.after(this.#gapMs, () => void this.#next());
  }

  async #next(): Promise<void> {
    const pod = this.#queue.pop();
    try {
      const differences = pod === undefined ? [] : await this.check(pod);
      if (pod !== undefined && differences.length > 0) {
        this.repairs += 1;
        this.#log.warn({ pod: pod.workload, differences }, 'capture rules were put in order');
      }
    } catch (error) {
      this.failures += 1;
      this.#log.error({ pod: pod?.workload, err: error }, 'capture could not be checked');
    }
    this.#schedule();
  }
}
