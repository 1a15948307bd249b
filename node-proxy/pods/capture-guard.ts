/**
 * Looks after the capture rules of every enrolled pod for ever: what something else flushed is put back. A pod that
 * lost its rules would otherwise talk past the mesh until somebody notices. Pods whose namespace has vanished
 * without a word of the runtime are found here too.
 *
 * A full look starts processes, so it waits until the kernel says that something changed (nftables count their
 * changes), and for changes that are not counted (routing rules, legacy iptables) until its time has come.
 */

import { statSync } from 'node:fs';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Capture, type CaptureOptions, captureRules } from '#capture';
import { type NetnsHandle, nftGeneration } from '../kernel/index.ts';
import type { Pod } from './pod.ts';

/** Every pod's generation is asked for about this often. Milliseconds. */
export const GLANCE_EVERY_MS = 1_000;
/** Full looks at a pod whose generation stays the same. */
export const LOOK_EVERY_MS = 60_000;
/** Full looks at a pod whose changes nobody counts. */
export const UNCOUNTED_LOOK_EVERY_MS = 10_000;
/** After a look that failed, and before a running pod's rules stop to spare what was open when it came in. */
export const AGAIN_AFTER_MS = 5_000;
/** Pods are spread over the turns of a second; a turn has at most one full look. */
const TURNS = 4;
/** A path that is missing once may be in the middle of being replaced. */
const GLANCES_UNTIL_VANISHED = 2;

export interface CaptureGuardOptions {
  capture: Capture;
  captureOptions: () => CaptureOptions;
  /** Every pod known here, inside or not. */
  pods: () => Pod[];
  onVanished: (pod: Pod) => void;
  clock: Clock;
  log: Logger;
  /** {@link nftGeneration}; undefined when changes are not counted. */
  generation?: (netns: NetnsHandle) => number | undefined;
}

/** What was seen of a pod. */
interface Seen {
  /** Before the last full look; undefined = not counted, or that look failed. */
  generation: number | undefined;
  /** Monotonic: a full look is due then even if nothing was counted. Undefined = was not inside. */
  dueMs: number | undefined;
  /** Glances in a row that did not find its namespace. */
  missing: number;
}

export class CaptureGuard {
  /** Times that rules had to be put back. */
  repairs = 0;
  /** Times that looking or repairing failed. */
  failures = 0;
  readonly #options: CaptureGuardOptions;
  readonly #counted: boolean;
  readonly #seen = new WeakMap<Pod, Seen>();
  /** Due for a full look, in order. */
  readonly #due = new Set<Pod>();
  readonly #timer: Timer;
  #turn = 0;
  #looking = false;

  constructor(options: CaptureGuardOptions) {
    this.#options = options;
    this.#counted = options.capture.iptables.flavour === 'nft';
    this.#timer = options.clock.every(GLANCE_EVERY_MS / TURNS, () => this.#next());
  }

  /** Looks at one pod now and repairs it. @returns what was wrong, empty if nothing. */
  check(pod: Pod): Promise<readonly string[]> {
    const { capture, captureOptions } = this.#options;
    return pod.inTurn(async () => {
      if (pod.state.is !== 'inside' || pod.gone) return [];
      const rules = captureRules(captureOptions());
      const { state, differences } = await capture.inspect(pod.entrance, rules);
      if (state === 'complete') return [];
      await capture.apply(pod.entrance, rules);
      // A pod that was running when it was enrolled loses its sparing rules here: that is no repair.
      if (!pod.sparing) return differences;
      pod.sparing = false;
      return [];
    });
  }

  close(): void {
    this.#timer.cancel();
  }

  #next(): void {
    const pods = this.#options.pods();
    for (let i = this.#turn; i < pods.length; i += TURNS) this.#glance(pods[i] as Pod);
    this.#turn = (this.#turn + 1) % TURNS;
    if (this.#looking) return;
    const [pod] = this.#due;
    if (pod === undefined) return;
    this.#due.delete(pod);
    this.#looking = true;
    void this.#look(pod).finally(() => {
      this.#looking = false;
    });
  }

  #glance(pod: Pod): void {
    const nowMs = this.#options.clock.monotonic();
    const seen: Seen = this.#seen.get(pod) ?? { generation: undefined, dueMs: undefined, missing: 0 };
    this.#seen.set(pod, seen);
    seen.missing = isThere(pod) ? 0 : seen.missing + 1;
    if (seen.missing >= GLANCES_UNTIL_VANISHED) {
      seen.missing = 0;
      return this.#options.onVanished(pod);
    }
    if (pod.state.is !== 'inside') {
      seen.dueMs = undefined;
      return;
    }
    // It has just come in.
    seen.dueMs ??= nowMs + (pod.sparing ? AGAIN_AFTER_MS : 0);
    if (nowMs >= seen.dueMs) this.#due.add(pod);
    else if (seen.generation !== undefined && this.#generation(pod) !== seen.generation) this.#due.add(pod);
  }

  async #look(pod: Pod): Promise<void> {
    const { clock, log } = this.#options;
    const seen = this.#seen.get(pod);
    if (seen === undefined || pod.gone) return;
    // Asked before, so that a change meanwhile, ours too, makes for another look.
    const generation = this.#generation(pod);
    try {
      const differences = await this.check(pod);
      seen.generation = generation;
      seen.dueMs = clock.monotonic() + (generation === undefined ? UNCOUNTED_LOOK_EVERY_MS : LOOK_EVERY_MS);
      if (differences.length === 0) return;
      this.repairs += 1;
      log.warn({ pod: pod.workload, differences }, 'capture rules were put in order');
    } catch (error) {
      seen.generation = undefined;
      seen.dueMs = clock.monotonic() + AGAIN_AFTER_MS;
      this.failures += 1;
      log.error({ pod: pod.workload, err: error }, 'capture could not be checked');
    }
  }

  #generation(pod: Pod): number | undefined {
    if (!this.#counted) return undefined;
    try {
      return (this.#options.generation ?? nftGeneration)(pod.netns);
    } catch (error) {
      this.#options.log.debug({ pod: pod.workload, err: error }, 'generation unknown');
      return undefined;
    }
  }
}

/** Whether the path that we were told still leads to the pod's namespace. Doubt counts as yes. */
function isThere(pod: Pod): boolean {
  try {
    const { dev, ino } = statSync(pod.netns.path, { bigint: true });
    return `${dev}:${ino}` === pod.id;
  } catch (error) {
    return codeOf(error) !== 'ENOENT';
  }
}
